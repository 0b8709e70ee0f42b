package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
)

// mix creates, reads, patches, lists and deletes ConfigMaps, several at a time on each connection, and counts what
// did not go as it should. Nothing is sent again by this program itself.
func mix(arguments []string) error {
	flags := flag.NewFlagSet("mix", flag.ExitOnError)
	url := flags.String("url", "", "`URL` of a namespace's configmaps")
	authority := flags.String("ca", "", "PEM `file` that the server's certificate chains to")
	token := flags.String("token", "", "bearer `token`")
	protocol := flags.Int("protocol", 2, "HTTP `version`, 1 or 2")
	connections := flags.Int("connections", 4, "connections")
	streams := flags.Int("streams", 8, "objects at a time on each connection")
	objects := flags.Int("objects", 1000, "objects in all; each takes five calls")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	roots, err := readRoots(*authority)
	if err != nil {
		return err
	}
	var lock sync.Mutex
	var group sync.WaitGroup
	failures := map[string]int{}
	calls := 0
	for connection := range *connections {
		m := mixer{newClient(roots, *protocol), *url, *token}
		if *protocol == 1 {
			m.client.Transport.(*http.Transport).MaxConnsPerHost = *streams
		}
		for stream := range *streams {
			group.Go(func() {
				for number := range *objects / (*connections * *streams) {
					name := fmt.Sprintf("mix-%d-%d-%d", connection, stream, number)
					for _, err := range m.live(name) {
						lock.Lock()
						calls++
						if err != nil {
							failures[err.Error()]++
						}
						lock.Unlock()
					}
				}
			})
		}
	}
	group.Wait()
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"calls": calls, "failures": failures})
}

type mixer struct {
	client *http.Client
	url    string
	token  string
}

// live takes one object through its life and returns how each call went.
func (m mixer) live(name string) []error {
	object := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q},"data":{"key":%q}}`,
		name, bytes.Repeat([]byte("value "), 200))
	patch := `{"data":{"key":"other"}}`
	return []error{
		m.call(http.MethodPost, "", object, "application/json", http.StatusCreated),
		m.call(http.MethodGet, "/"+name, "", "", http.StatusOK),
		m.call(http.MethodPatch, "/"+name, patch, "application/merge-patch+json", http.StatusOK),
		m.call(http.MethodGet, "?limit=5", "", "", http.StatusOK),
		m.call(http.MethodDelete, "/"+name, "", "", http.StatusOK),
	}
}

func (m mixer) call(method, path, body, contentType string, want int) error {
	// A reader that net/http cannot rewind, so that its transport cannot send a body again.
	var reader io.Reader
	if body != "" {
		reader = io.MultiReader(bytes.NewBufferString(body))
	}
	request, err := http.NewRequest(method, m.url+path, reader)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+m.token)
	request.Header.Set("Content-Type", contentType)
	response, err := m.client.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	if err == nil && response.StatusCode != want {
		err = fmt.Errorf("%s: status %d", method, response.StatusCode)
	}
	return err
}
