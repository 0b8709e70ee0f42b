package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

type result struct {
	Requests int     `json:"requests"`
	Errors   int     `json:"errors"`
	Error    string  `json:"error,omitempty"`
	Bytes    int64   `json:"bytes"`
	Seconds  float64 `json:"seconds"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
}

type driver struct {
	url      string
	requests int
	names    int
	watch    bool
	every    time.Duration
}

// drive sends requests from several connections, one after the other on each.
func drive(arguments []string) error {
	flags := flag.NewFlagSet("drive", flag.ExitOnError)
	url := flags.String("url", "", "`URL` to ask")
	authority := flags.String("ca", "", "PEM `file` that the server's certificate chains to")
	protocol := flags.Int("protocol", 2, "HTTP `version`, 1 or 2")
	connections := flags.Int("connections", 4, "connections")
	streams := flags.Int("streams", 1, "requests at a time on each connection (HTTP/2)")
	requests := flags.Int("requests", 1000, "requests in all")
	rate := flags.Float64("rate", 0, "requests a second on each connection, whether answers come or not; 0: each after the last")
	names := flags.Int("names", 0, "objects to ask for by turns: their `number` is appended to the URL")
	watch := flags.Bool("watch", false, "measure how late the first event of a watch arrives")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	roots, err := readRoots(*authority)
	if err != nil {
		return err
	}
	d := driver{url: *url, requests: *requests / (*connections * *streams), names: *names, watch: *watch}
	if *rate > 0 {
		d.every = time.Duration(float64(time.Second) / *rate)
	}
	var all []time.Duration
	var total result
	var lock sync.Mutex
	var group sync.WaitGroup
	started := time.Now()
	for range *connections {
		client := newClient(roots, *protocol)
		for range *streams {
			group.Go(func() {
				durations, one := d.run(client)
				lock.Lock()
				defer lock.Unlock()
				all = append(all, durations...)
				total.Requests += one.Requests
				total.Errors += one.Errors
				total.Bytes += one.Bytes
				total.Error += one.Error
			})
		}
	}
	group.Wait()
	total.Seconds = time.Since(started).Seconds()
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	if len(all) > 0 {
		total.P50 = all[len(all)/2].Seconds()
		total.P99 = all[len(all)*99/100].Seconds()
	}
	return json.NewEncoder(os.Stdout).Encode(total)
}

func readRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return roots, err
}

func newClient(roots *x509.CertPool, protocol int) *http.Client {
	transport := &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2:  protocol == 2,
		MaxConnsPerHost:    1,
		DisableCompression: true,
	}
	if protocol == 1 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
	}
	return &http.Client{Transport: transport}
}

func (d driver) run(client *http.Client) (durations []time.Duration, total result) {
	var lock sync.Mutex
	one := func(number int) {
		url := d.url
		if d.names > 0 {
			url = fmt.Sprintf("%s-%d", url, number%d.names)
		}
		took, bytes, err := d.ask(client, url)
		lock.Lock()
		defer lock.Unlock()
		if err != nil {
			total.Errors++
			total.Error = err.Error()
			return
		}
		total.Requests++
		total.Bytes += bytes
		durations = append(durations, took)
	}
	if d.every > 0 {
		_, _, _ = d.ask(client, d.url) // opens the connection; how long that takes is another question
		d.steadily(one)
		return durations, total
	}
	for number := range d.requests {
		one(number)
	}
	return durations, total
}

// steadily starts one request after the other at a fixed rate, so that one that stalls makes no other late.
func (d driver) steadily(one func(number int)) {
	var group sync.WaitGroup
	ticker := time.NewTicker(d.every)
	defer ticker.Stop()
	for number := range d.requests {
		<-ticker.C
		group.Go(func() { one(number) })
	}
	group.Wait()
}

func (d driver) ask(client *http.Client, url string) (time.Duration, int64, error) {
	context, cancel := context.WithCancel(context.Background())
	defer cancel()
	request, err := http.NewRequestWithContext(context, http.MethodGet, url, nil)
	if err != nil {
		return 0, 0, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Authorization", "Bearer "+strings.Repeat("x", 1000))
	request.Header.Set("User-Agent", "load/v1.0.0 (linux/amd64) kubernetes/0000000")
	started := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("status %d", response.StatusCode)
	}
	if d.watch {
		line, err := bufio.NewReader(response.Body).ReadString('\n')
		if err != nil {
			return 0, 0, err
		}
		sent, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		return time.Since(time.Unix(0, sent)), int64(len(line)), err
	}
	bytes, err := io.Copy(io.Discard, response.Body)
	return time.Since(started), bytes, err
}
