// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package certgen does what the hooks of the Prometheus chart do, on a target
// without containers: for its Jobs that run kube-webhook-certgen it makes the
// certificate for the operator's webhooks, and writes its authority into them.
package certgen

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"ksit.io/ksit/test/bed/internal/pki"
)

const (
	image        = "kube-webhook-certgen"
	fieldManager = "kube-webhook-certgen"

	// Keys of the Secret.
	authorityKey   = "ca"
	certificateKey = "cert"
	privateKeyKey  = "key"

	// attempts bounds how often a task is tried: its release may be gone.
	attempts = 10
)

// task is what one Job asks for. It is taken from the Job when that is first
// seen, for hooks are deleted as soon as they succeed.
type task struct {
	command, namespace, secret, hosts, webhook string
}

// Run does the work of the Jobs on the cluster until ctx is done.
func Run(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(rest.AddUserAgent(rest.CopyConfig(config), fieldManager))
	if err != nil {
		return fmt.Errorf("connecting for webhook certificates: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[task](100*time.Millisecond, 5*time.Second))
	if _, err := factory.Batch().V1().Jobs().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			if job, ok := object.(*batchv1.Job); ok {
				if t, ok := taskOf(job); ok {
					queue.Add(t)
				}
			}
		},
	}); err != nil {
		return fmt.Errorf("watching Jobs: %w", err)
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	stop := context.AfterFunc(ctx, queue.ShutDown)
	defer stop()
	for {
		t, shutdown := queue.Get()
		if shutdown {
			return nil
		}
		err := t.do(ctx, client)
		switch {
		case err == nil || queue.NumRequeues(t) >= attempts:
			queue.Forget(t)
		default:
			queue.AddRateLimited(t)
		}
		if err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "A Job's work failed", "command", t.command, "namespace", t.namespace)
		}
		queue.Done(t)
	}
}

// taskOf reads the task from the arguments of the Job's container.
func taskOf(job *batchv1.Job) (task, bool) {
	for _, container := range job.Spec.Template.Spec.Containers {
		if !strings.Contains(container.Image, image) || len(container.Args) == 0 {
			continue
		}
		t := task{command: container.Args[0], namespace: job.Namespace}
		for _, arg := range container.Args[1:] {
			name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
			switch name {
			case "namespace":
				t.namespace = value
			case "secret-name":
				t.secret = value
			case "host":
				t.hosts = value
			case "webhook-name":
				t.webhook = value
			}
		}
		return t, t.secret != ""
	}
	return task{}, false
}

func (t task) do(ctx context.Context, client kubernetes.Interface) error {
	switch t.command {
	case "create":
		return t.create(ctx, client)
	case "patch":
		return t.patch(ctx, client)
	default:
		return fmt.Errorf("unknown command %q", t.command)
	}
}

// create makes the Secret with the certificate, unless there is one.
func (t task) create(ctx context.Context, client kubernetes.Interface) error {
	secrets := client.CoreV1().Secrets(t.namespace)
	if _, err := secrets.Get(ctx, t.secret, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return err
	}
	ca, err := pki.NewAuthority("bed")
	if err != nil {
		return err
	}
	server, err := ca.Server(strings.Split(t.hosts, ",")...)
	if err != nil {
		return err
	}
	_, err = secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: t.secret, Namespace: t.namespace},
		Data:       map[string][]byte{authorityKey: ca.Cert, certificateKey: server.Cert, privateKeyKey: server.Key},
	}, metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("storing the certificate %s/%s: %w", t.namespace, t.secret, err)
	}
	return nil
}

// patch writes the authority into both kinds of webhooks.
func (t task) patch(ctx context.Context, client kubernetes.Interface) error {
	secret, err := client.CoreV1().Secrets(t.namespace).Get(ctx, t.secret, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the certificate %s/%s: %w", t.namespace, t.secret, err)
	}
	bundle := slices.Clone(secret.Data[authorityKey])
	webhooks := client.AdmissionregistrationV1()
	mutating, err := webhooks.MutatingWebhookConfigurations().Get(ctx, t.webhook, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading mutating webhooks: %w", err)
	}
	for i := range mutating.Webhooks {
		mutating.Webhooks[i].ClientConfig.CABundle = bundle
	}
	if _, err := webhooks.MutatingWebhookConfigurations().Update(ctx, mutating, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("writing mutating webhooks: %w", err)
	}
	validating, err := webhooks.ValidatingWebhookConfigurations().Get(ctx, t.webhook, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading validating webhooks: %w", err)
	}
	for i := range validating.Webhooks {
		validating.Webhooks[i].ClientConfig.CABundle = bundle
	}
	if _, err := webhooks.ValidatingWebhookConfigurations().Update(ctx, validating, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("writing validating webhooks: %w", err)
	}
	return nil
}
