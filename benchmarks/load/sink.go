package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"io"
	"net"
	"os"
	"time"
)

// amount is what connect and pour print for each line of their input.
type amount struct {
	// Count is that of connections, or of bytes.
	Count   int64   `json:"count"`
	Seconds float64 `json:"seconds"`
}

// sink stands for whatever pods talk to that is no API server: it sends the first byte back and takes all others.
func sink(arguments []string) error {
	flags := flag.NewFlagSet("sink", flag.ExitOnError)
	address := flags.String("listen", "127.0.0.1:0", "`address` to listen on")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	listener, err := listen(*address)
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go swallow(connection)
	}
}

func swallow(connection net.Conn) {
	defer connection.Close()
	first := make([]byte, 1)
	if _, err := io.ReadFull(connection, first); err != nil {
		return
	}
	if _, err := connection.Write(first); err != nil {
		return
	}
	chunk := make([]byte, 256*1024)
	for {
		if _, err := connection.Read(chunk); err != nil {
			return
		}
	}
}

// connect opens connections one after the other. Each is reset at its end, so that none of them waits for a minute and
// ports do not run out.
func connect(arguments []string) error {
	return measure("connect", arguments, func(address string, until time.Time) (count int64, err error) {
		for time.Now().Before(until) {
			connection, err := open(address)
			if err != nil {
				return 0, err
			}
			_ = connection.SetLinger(0)
			_ = connection.Close()
			count++
		}
		return count, nil
	})
}

// pour sends as much as one connection takes.
func pour(arguments []string) error {
	return measure("pour", arguments, func(address string, until time.Time) (count int64, err error) {
		connection, err := open(address)
		if err != nil {
			return 0, err
		}
		defer connection.Close()
		chunk := make([]byte, 256*1024)
		for time.Now().Before(until) {
			written, err := connection.Write(chunk)
			if err != nil {
				return 0, err
			}
			count += int64(written)
		}
		if err := connection.CloseWrite(); err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, connection) // its end: all has arrived
		return count, err
	})
}

// open opens a connection that is known to be whole: a byte has gone there and back.
func open(address string) (*net.TCPConn, error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	probe := []byte{'.'}
	if _, err := connection.Write(probe); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(connection, probe); err != nil {
		return nil, err
	}
	return connection.(*net.TCPConn), nil
}

// measure works once for each line of its input: who compares two such programs has them take turns often, so that what
// else the machine does meets both alike.
func measure(name string, arguments []string, work func(address string, until time.Time) (int64, error)) error {
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	address := flags.String("to", "", "`address` of a sink")
	lasting := flags.Duration("for", time.Second, "how long to go on each time")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	results := json.NewEncoder(os.Stdout)
	turns := bufio.NewScanner(os.Stdin)
	for turns.Scan() {
		began := time.Now()
		count, err := work(*address, began.Add(*lasting))
		if err != nil {
			return err
		}
		if err := results.Encode(amount{count, time.Since(began).Seconds()}); err != nil {
			return err
		}
	}
	return turns.Err()
}
