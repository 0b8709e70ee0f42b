package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// answer is what `clients poll` prints of each request, as one line of JSON.
type answer struct {
	// At is when the request began, Opened when its connection did: seconds since the epoch.
	At      float64 `json:"at"`
	Opened  float64 `json:"opened"`
	Seconds float64 `json:"seconds"`
	Status  int     `json:"status"`
	// AuditID is empty for an answer that the API server has not given.
	AuditID string `json:"audit_id"`
	// Serial is that of the certificate which was shown, hexadecimal.
	Serial string `json:"serial"`
	Error  string `json:"error,omitempty"`
	// Local is the connection's near end.
	Local string `json:"local,omitempty"`
}

// poller asks for one thing again and again, whatever came of it before.
type poller struct {
	client *http.Client
	url    string
	fresh  bool
	opened sync.Map // local address of a connection -> when it was opened
	lock   sync.Mutex
	output *json.Encoder
}

// runPoll asks at a steady rate, each request on its own, so that one that stalls
// holds up no other. Told to end, it waits for what it has asked.
func runPoll(ctx context.Context, flags *flag.FlagSet, arguments []string) error {
	path := flags.String("path", "/version", "what to ask for")
	rate := flags.Float64("rate", 10, "requests a second")
	lasting := flags.Duration("for", time.Minute, "how long to go on")
	kind := flags.String("connections", "http2", "http2, http1: kept; fresh: a new one for each request, HTTP/1.1")
	agent := flags.String("agent", "poll", "what the user agent ends with")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	config, err := configure()
	if err != nil {
		return err
	}
	if *kind != "http2" {
		config.NextProtos = []string{"http/1.1"}
	}
	polling := &poller{url: config.Host + *path, fresh: *kind == "fresh", output: json.NewEncoder(os.Stdout)}
	config.Dial = polling.dial
	if polling.client, err = rest.HTTPClientFor(rest.AddUserAgent(config, *agent)); err != nil {
		return err
	}
	polling.run(ctx, time.Duration(float64(time.Second) / *rate), *lasting)
	return nil
}

func (p *poller) run(ctx context.Context, every, lasting time.Duration) {
	over, cancel := context.WithTimeout(ctx, lasting)
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var group sync.WaitGroup
	defer group.Wait()
	for {
		select {
		case <-over.Done():
			return
		case <-ticker.C:
			group.Go(func() { p.ask(context.WithoutCancel(ctx)) })
		}
	}
}

// dial notes when a connection was begun: one may be kept for a while before any
// request gets it, and httptrace then says of the first that it is new.
func (p *poller) dial(ctx context.Context, network, address string) (net.Conn, error) {
	began := time.Now() // where it goes is decided by its first packet
	conn, err := (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext(ctx, network, address)
	if err == nil {
		p.opened.Store(conn.LocalAddr().String(), began)
	}
	return conn, err
}

func (p *poller) ask(ctx context.Context) {
	began := time.Now()
	found := answer{At: seconds(began)}
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		found.Local = got.Conn.LocalAddr().String()
		if opened, known := p.opened.Load(found.Local); known {
			found.Opened = seconds(opened.(time.Time))
		}
	}}
	if err := p.exchange(httptrace.WithClientTrace(ctx, trace), &found); err != nil {
		found.Error = err.Error()
	}
	found.Seconds = time.Since(began).Seconds()
	p.lock.Lock()
	defer p.lock.Unlock()
	_ = p.output.Encode(found)
}

func (p *poller) exchange(ctx context.Context, found *answer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return err
	}
	request.Close = p.fresh
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	found.Status, found.AuditID = response.StatusCode, response.Header.Get("Audit-Id")
	found.Serial = response.TLS.PeerCertificates[0].SerialNumber.Text(16)
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

func seconds(at time.Time) float64 {
	return float64(at.UnixNano()) / 1e9
}
