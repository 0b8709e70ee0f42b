package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// A pod as the API server writes one, about 2 kB.
var pod = []byte(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web","namespace":"shop","labels":{"app":"web"}},` +
	`"spec":{"containers":[{"name":"web","image":"registry/web:1","env":[` +
	string(bytes.Repeat([]byte(`{"name":"SETTING","value":"a value of usual length"},`), 32)) +
	`{"name":"LAST","value":"1"}]}]},"status":{"phase":"Running"}}`)

// serve answers like an API server, as far as a proxy can tell: JSON of a usual size, watches, large bodies.
func serve(arguments []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	certificate := flags.String("certificate", "", "PEM `file` of the certificate")
	key := flags.String("key", "", "PEM `file` of its key")
	address := flags.String("listen", "127.0.0.1:0", "`address` to listen on")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	listener, err := listen(*address)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", answer)
	mux.HandleFunc("/bytes", sendBytes)
	mux.HandleFunc("/watch", sendEvents)
	return http.ServeTLS(listener, mux, *certificate, *key)
}

// listen opens a listener, prints where, and ends the program with its input.
func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return listener, nil
}

func answer(writer http.ResponseWriter, request *http.Request) {
	_, _ = io.Copy(io.Discard, request.Body)
	var id [16]byte
	_, _ = rand.Read(id[:])
	header := writer.Header()
	header.Set("Audit-Id", hex.EncodeToString(id[:]))
	header.Set("Cache-Control", "no-cache, private")
	header.Set("Content-Type", "application/json")
	header.Set("X-Kubernetes-Pf-Flowschema-Uid", "d2a4ff6d-3b2b-4f5c-8a7e-1b6e9a1c0f11")
	header.Set("X-Kubernetes-Pf-Prioritylevel-Uid", "5b1c7e1e-93c1-4e0b-8d2f-6a4f0c2d9e22")
	_, _ = writer.Write(pod)
}

// sendBytes answers with as many bytes as the query's n says.
func sendBytes(writer http.ResponseWriter, request *http.Request) {
	left, _ := strconv.Atoi(request.URL.Query().Get("n"))
	writer.Header().Set("Content-Length", strconv.Itoa(left))
	chunk := make([]byte, 64*1024)
	for left > 0 {
		piece := chunk[:min(left, len(chunk))]
		if _, err := writer.Write(piece); err != nil {
			return
		}
		left -= len(piece)
	}
}

// sendEvents sends the head at once and, after the query's delay in milliseconds, one event that holds the time.
func sendEvents(writer http.ResponseWriter, request *http.Request) {
	delay, _ := strconv.Atoi(request.URL.Query().Get("delay"))
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(http.StatusOK)
	writer.(http.Flusher).Flush()
	time.Sleep(time.Duration(delay) * time.Millisecond)
	fmt.Fprintf(writer, "%d\n", time.Now().UnixNano())
	writer.(http.Flusher).Flush()
	<-request.Context().Done()
}
