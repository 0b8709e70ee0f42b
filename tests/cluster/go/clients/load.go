package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
)

// step is one call on the objects of one worker.
type step func(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error

// writes gives a life: every verb, every kind of patch, on two kinds. A step that
// is to fail says so itself.
func writes(password string) []step {
	return []step{
		createConfigMap, getConfigMap, updateConfigMap,
		patchConfigMap(types.MergePatchType, `{"data":{"merge":"1"}}`),
		patchConfigMap(types.StrategicMergePatchType, `{"data":{"strategic":"1"}}`),
		patchConfigMap(types.JSONPatchType, `[{"op":"add","path":"/data/json","value":"1"}]`),
		applyConfigMap, listConfigMaps, getMissing, dryRun, watchConfigMap,
		createSecret(password), getSecret, deleteSecret, deleteConfigMap,
	}
}

// reads leave no trace in the cluster, so a hundred thousand of them cost the
// server little.
var reads = []step{getMissing, listConfigMaps}

// result is what `clients load` prints, as one line of JSON.
type result struct {
	Calls  int64    `json:"calls"`
	Failed int64    `json:"failed"`
	Errors []string `json:"errors"`
}

// runLoad makes calls from several workers at once and prints how many failed.
func runLoad(ctx context.Context, flags *flag.FlagSet, arguments []string) error {
	namespace := flags.String("namespace", "default", "where the objects are made and deleted")
	calls := flags.Int64("calls", 1000, "how many calls to make; a life that has begun is finished")
	workers := flags.Int("workers", 4, "how many to make at once")
	onlyRead := flags.Bool("reads", false, "leave out everything that changes an object")
	pause := flags.Duration("pause", 0, "wait between the calls of a worker")
	password := flags.String("password", "none", "what the Secrets hold; they travel as protobuf")
	agent := flags.String("agent", "load", "what the user agent ends with")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	client, err := connect(*agent)
	if err != nil {
		return err
	}
	steps := writes(*password)
	if *onlyRead {
		steps = reads
	}
	made := load(ctx, client, *namespace, steps, *calls, *workers, *pause)
	if err := json.NewEncoder(os.Stdout).Encode(made); err != nil {
		return err
	}
	if made.Failed > 0 {
		return fmt.Errorf("%d of %d calls failed", made.Failed, made.Calls)
	}
	return nil
}

func load(
	ctx context.Context, client *kubernetes.Clientset, namespace string, steps []step, calls int64, workers int, pause time.Duration,
) result {
	var made, failed atomic.Int64
	var lock sync.Mutex
	examples := []string{}
	var group sync.WaitGroup
	run := strconv.FormatInt(time.Now().UnixNano(), 36) // pods have the same process IDs
	for worker := range workers {
		group.Go(func() {
			for life := 0; made.Load() < calls && ctx.Err() == nil; life++ {
				name := fmt.Sprintf("load-%s-%d-%d", run, worker, life)
				for _, step := range steps {
					err := step(ctx, client, namespace, name)
					made.Add(1)
					if err != nil && failed.Add(1) <= 10 {
						lock.Lock()
						examples = append(examples, err.Error())
						lock.Unlock()
					}
					time.Sleep(pause)
				}
			}
		})
	}
	group.Wait()
	return result{made.Load(), failed.Load(), examples}
}

func createConfigMap(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
	_, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, configMap(name), metav1.CreateOptions{})
	return err
}

func getConfigMap(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
	_, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	return err
}

func updateConfigMap(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
	changed := configMap(name)
	changed.Data["update"] = "1"
	_, err := client.CoreV1().ConfigMaps(namespace).Update(ctx, changed, metav1.UpdateOptions{})
	return err
}

func patchConfigMap(kind types.PatchType, patch string) step {
	return func(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
		_, err := client.CoreV1().ConfigMaps(namespace).Patch(ctx, name, kind, []byte(patch), metav1.PatchOptions{})
		return err
	}
}

func applyConfigMap(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
	applied := applycore.ConfigMap(name, namespace).WithData(map[string]string{"apply": "1"})
	_, err := client.CoreV1().ConfigMaps(namespace).Apply(ctx, applied, metav1.ApplyOptions{FieldManager: "load", Force: true})
	return err
}

func listConfigMaps(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
	_, err := client.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{LabelSelector: "load=" + name, Limit: 10})
	return err
}

// getMissing asks for what is not there: 404 is the right answer.
func getMissing(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
	_, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, name+"-missing", metav1.GetOptions{})
	if err == nil {
		return errors.New("an object that nobody made was found")
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func dryRun(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
	options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	_, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, configMap(name+"-dry"), options)
	return err
}

// watchConfigMap watches one object until its first event has come, but not for
// ever: the object may not have been made.
func watchConfigMap(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
	seconds := int64(5)
	options := metav1.ListOptions{FieldSelector: "metadata.name=" + name, ResourceVersion: "0", TimeoutSeconds: &seconds}
	watcher, err := client.CoreV1().ConfigMaps(namespace).Watch(ctx, options)
	if err != nil {
		return err
	}
	defer watcher.Stop()
	select {
	case event, open := <-watcher.ResultChan():
		if !open {
			return errors.New("the watch ended before its first event")
		}
		if _, is := event.Object.(*corev1.ConfigMap); !is {
			return apierrors.FromObject(event.Object)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func createSecret(password string) step {
	return func(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
		data := map[string]string{"password": password}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data}
		_, err := client.CoreV1().Secrets(namespace).Create(ctx, secret, metav1.CreateOptions{})
		return err
	}
}

func getSecret(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
	_, err := client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	return err
}

func deleteSecret(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
	return client.CoreV1().Secrets(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}

func deleteConfigMap(ctx context.Context, client *kubernetes.Clientset, namespace, name string) error {
	return client.CoreV1().ConfigMaps(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}

func configMap(name string) *corev1.ConfigMap {
	meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{"load": name}}
	return &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"key": "value"}}
}
