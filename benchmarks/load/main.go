// Command load is both ends of the proxy's benchmarks: an API server's stand-in and a client that asks it as fast as
// it can. It is written in Go because a peer in Python would be slower than the proxy between them.
//
//	load serve -certificate FILE -key FILE          prints its address, then serves until its input ends
//	load drive -url URL -ca FILE -protocol 1|2 ...   prints one JSON object
//	load mix -url URL -ca FILE -token TOKEN ...      the same, with a real API server
//	load sink -listen ADDRESS                        prints its address, then takes bytes over TCP until its input ends
//	load connect -to ADDRESS -for DURATION           prints how many connections it could open and use, one by one
//	load pour -to ADDRESS -for DURATION              prints how many bytes one connection took
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{
		"serve": serve, "drive": drive, "mix": mix, "sink": sink, "connect": connect, "pour": pour,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "load: say serve, drive, mix, sink, connect or pour")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "load %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
