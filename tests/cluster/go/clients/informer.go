package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// kinds is what the informers keep: several groups, with and without protobuf
// fields of their own.
var kinds = []schema.GroupVersionResource{
	{Version: "v1", Resource: "configmaps"},
	{Version: "v1", Resource: "endpoints"},
	{Version: "v1", Resource: "pods"},
	{Version: "v1", Resource: "secrets"},
	{Version: "v1", Resource: "serviceaccounts"},
	{Version: "v1", Resource: "services"},
	{Group: "apps", Version: "v1", Resource: "deployments"},
	{Group: "apps", Version: "v1", Resource: "replicasets"},
	{Group: "batch", Version: "v1", Resource: "jobs"},
	{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
}

// runInformer starts informers for every kind, several rounds of them, waits for
// the ConfigMap that ends it, and prints what the last round's caches hold.
func runInformer(ctx context.Context, flags *flag.FlagSet, arguments []string) error {
	namespace := flags.String("namespace", "default", "the namespace to watch")
	resync := flags.Duration("resync", time.Second, "how often the handlers see everything again")
	rounds := flags.Int("rounds", 1, "how often to begin anew, each with a list and a watch of every kind")
	until := flags.String("until", "", "name of the ConfigMap whose creation ends the last round; empty: do not wait")
	again := flags.Bool("again", false, "end when the last round's handlers have seen every object again without a call, and say so of each")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	client, err := connect("informer")
	if err != nil {
		return err
	}
	var objects []string
	for round := range *rounds {
		last := round == *rounds-1
		factory := informers.NewSharedInformerFactoryWithOptions(client, *resync, informers.WithNamespace(*namespace))
		end := ending{resync: *resync}
		if last {
			end.configMap, end.again = *until, *again
		}
		if objects, err = watch(ctx, factory, end); err != nil {
			return err
		}
	}
	for _, object := range objects {
		fmt.Println(object)
	}
	return nil
}

// ending says what a round waits for, once its caches are filled.
type ending struct {
	configMap string
	again     bool
	resync    time.Duration
}

// watch runs one round and returns the names of everything its caches hold.
func watch(ctx context.Context, factory informers.SharedInformerFactory, end ending) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer klog.LogToStderr(true)
	defer factory.Shutdown() // after the watches were told to end
	defer cancel()
	defer discardLog() // client-go complains of an event that it was reading when it was told to end
	ended := make(chan struct{})
	var resynced echoes
	stores := map[schema.GroupVersionResource]cache.Store{}
	for _, kind := range kinds {
		informer, err := factory.ForResource(kind)
		if err != nil {
			return nil, err
		}
		handler := cache.ResourceEventHandlerFuncs{
			AddFunc: func(object any) {
				if end.configMap != "" && kind.Resource == "configmaps" && nameOf(object) == end.configMap {
					close(ended)
				}
			},
			UpdateFunc: func(before, after any) {
				if before == after { // the same object: nothing has changed, the cache speaks
					resynced.note(describe(kind, after))
				}
			},
		}
		if _, err := informer.Informer().AddEventHandler(handler); err != nil {
			return nil, err
		}
		stores[kind] = informer.Informer().GetStore()
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return nil, fmt.Errorf("the cache of %v was not filled", kind)
		}
	}
	if end.configMap != "" {
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if err := waitFor(ctx, end.resync, func() bool { return resynced.any() }); err != nil {
			return nil, err
		}
	}
	if end.again {
		if err := waitFor(ctx, end.resync, func() bool { return resynced.all(names(stores)) }); err != nil {
			return nil, err
		}
		return append(names(stores), resynced.lines(names(stores))...), nil
	}
	return names(stores), nil
}

func discardLog() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
}

// echoes is which objects the handlers were shown again although nothing had
// changed: their cache speaks, without a call.
type echoes struct {
	seen sync.Map
}

func (e *echoes) note(object string) { e.seen.Store(object, true) }

func (e *echoes) any() bool {
	found := false
	e.seen.Range(func(any, any) bool { found = true; return false })
	return found
}

func (e *echoes) all(objects []string) bool {
	return len(e.lines(objects)) == len(objects)
}

// lines says which of the objects were seen again.
func (e *echoes) lines(objects []string) []string {
	var found []string
	for _, object := range objects {
		if _, seen := e.seen.Load(object); seen {
			found = append(found, "again "+object)
		}
	}
	return found
}

// waitFor waits for what resyncs bring, which come by themselves.
func waitFor(ctx context.Context, resync time.Duration, done func() bool) error {
	for deadline := time.Now().Add(10 * resync); !done(); {
		if time.Now().After(deadline) {
			return fmt.Errorf("what there is was not resynced within %v", 10*resync)
		}
		select {
		case <-time.After(resync / 10):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// names lists the caches' objects in an order that does not depend on time.
func names(stores map[schema.GroupVersionResource]cache.Store) []string {
	var found []string
	for kind, store := range stores {
		for _, object := range store.List() {
			found = append(found, describe(kind, object))
		}
	}
	slices.SortFunc(found, strings.Compare)
	return found
}

func describe(kind schema.GroupVersionResource, object any) string {
	return fmt.Sprintf("%s %s", kind.GroupResource(), nameOf(object))
}

func nameOf(object any) string {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return ""
	}
	return accessor.GetName()
}
