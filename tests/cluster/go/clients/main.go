// Command clients is what programs written in Go do to a Kubernetes API, as the
// end-to-end tests need it: `clients informer` watches the way controllers do,
// `clients load` makes many calls of every kind and says how each went, `clients
// poll` asks for one thing at a steady rate and tells of each answer, `clients
// first` times other programs.
//
// It reads its kubeconfig as every client does (KUBECONFIG), else the pod's own
// service account.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const protobuf = "application/vnd.kubernetes.protobuf"

// errUsage ends the program with exit code 2; what is wrong has been said.
var errUsage = errors.New("usage: clients informer|load|poll|first [options]")

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "clients:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet(arguments[0], flag.ExitOnError)
	switch arguments[0] {
	case "informer":
		return runInformer(ctx, flags, arguments[1:])
	case "load":
		return runLoad(ctx, flags, arguments[1:])
	case "poll":
		return runPoll(ctx, flags, arguments[1:])
	case "first":
		return runFirst(ctx, flags, arguments[1:])
	default:
		return errUsage
	}
}

// connect makes a client that waits for nobody but the server: no rate limit of
// its own. Objects travel as protobuf, as in every component of Kubernetes.
func connect(agent string) (*kubernetes.Clientset, error) {
	config, err := configure()
	if err != nil {
		return nil, err
	}
	config.ContentType = protobuf
	config.AcceptContentTypes = protobuf + ",application/json"
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	return kubernetes.NewForConfig(rest.AddUserAgent(config, agent))
}

// configure says where the server is and who asks.
func configure() (*rest.Config, error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{})
	return loader.ClientConfig()
}
