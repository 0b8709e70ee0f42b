package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// runFirst prints how many seconds a command takes until the first byte of its
// output, as a JSON list of several tries; each is ended then.
func runFirst(ctx context.Context, flags *flag.FlagSet, arguments []string) error {
	tries := flags.Int("tries", 5, "how often to run it")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	var took []float64
	for range *tries {
		one, err := firstByte(ctx, flags.Args())
		if err != nil {
			return err
		}
		took = append(took, one.Seconds())
	}
	return json.NewEncoder(os.Stdout).Encode(took)
}

func firstByte(ctx context.Context, words []string) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := command.Start(); err != nil {
		return 0, err
	}
	read, err := output.Read(make([]byte, 1))
	took := time.Since(began)
	cancel()
	_ = command.Wait() // it was killed
	if read == 0 {
		return 0, fmt.Errorf("%v said nothing: %w", words, err)
	}
	return took, nil
}
