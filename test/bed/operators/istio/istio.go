// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package istio does for a target without containers what an installer must
// reckon with that istiod does: once it is up, it writes its certificate
// authority into the webhooks that were installed with it.
//
// It does not answer the webhooks, and so does not set the failure policy of
// the validators to Fail, which istiod also does.
package istio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	admissionlisters "k8s.io/client-go/listers/admissionregistration/v1"
	appslisters "k8s.io/client-go/listers/apps/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"ksit.io/ksit/test/bed/internal/pki"
)

const (
	// fieldManager is the name under which istiod itself writes.
	fieldManager = "pilot-discovery"
	// authoritySecret is where istiod keeps its authority.
	authoritySecret = "istio-ca-secret"
	certificateKey  = "ca-cert.pem"
	privateKeyKey   = "ca-key.pem"

	retryAfter = time.Second
)

// Run keeps the webhooks of every istiod on the cluster supplied with its
// authority, until ctx is done.
func Run(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(rest.AddUserAgent(rest.CopyConfig(config), "istiod"))
	if err != nil {
		return fmt.Errorf("connecting as istiod: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	webhooks := factory.Admissionregistration().V1()
	p := &pilot{
		client:      client,
		deployments: factory.Apps().V1().Deployments().Lister(),
		mutating:    webhooks.MutatingWebhookConfigurations().Lister(),
		validating:  webhooks.ValidatingWebhookConfigurations().Lister(),
	}
	changed := make(chan struct{}, 1)
	notice := func() {
		select {
		case changed <- struct{}{}:
		default: // It is known already that there is something to look at.
		}
	}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Apps().V1().Deployments().Informer(),
		webhooks.MutatingWebhookConfigurations().Informer(),
		webhooks.ValidatingWebhookConfigurations().Informer(),
	} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { notice() },
			UpdateFunc: func(_, _ any) { notice() },
		}); err != nil {
			return fmt.Errorf("watching as istiod: %w", err)
		}
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	factory.WaitForCacheSync(ctx.Done())

	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		if err := p.sync(ctx); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Could not supply istiod's webhooks; trying again")
			time.AfterFunc(retryAfter, notice)
		}
	}
}

type pilot struct {
	client      kubernetes.Interface
	deployments appslisters.DeploymentLister
	mutating    admissionlisters.MutatingWebhookConfigurationLister
	validating  admissionlisters.ValidatingWebhookConfigurationLister
}

// sync writes the authority into whatever webhook lacks it.
func (p *pilot) sync(ctx context.Context) error {
	mutating, err := p.mutating.List(labels.Everything())
	if err != nil {
		return err
	}
	validating, err := p.validating.List(labels.Everything())
	if err != nil {
		return err
	}
	var failures []error
	for _, configuration := range mutating {
		changed := configuration.DeepCopy()
		clients := make([]*admissionv1.WebhookClientConfig, 0, len(changed.Webhooks))
		for i := range changed.Webhooks {
			clients = append(clients, &changed.Webhooks[i].ClientConfig)
		}
		if needed, err := p.supply(ctx, clients); err != nil {
			failures = append(failures, fmt.Errorf("mutating webhooks %s: %w", changed.Name, err))
		} else if needed {
			_, err := p.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Update(ctx, changed, metav1.UpdateOptions{FieldManager: fieldManager})
			failures = append(failures, ignoreLost(err))
		}
	}
	for _, configuration := range validating {
		changed := configuration.DeepCopy()
		clients := make([]*admissionv1.WebhookClientConfig, 0, len(changed.Webhooks))
		for i := range changed.Webhooks {
			clients = append(clients, &changed.Webhooks[i].ClientConfig)
		}
		if needed, err := p.supply(ctx, clients); err != nil {
			failures = append(failures, fmt.Errorf("validating webhooks %s: %w", changed.Name, err))
		} else if needed {
			_, err := p.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(ctx, changed, metav1.UpdateOptions{FieldManager: fieldManager})
			failures = append(failures, ignoreLost(err))
		}
	}
	return errors.Join(failures...)
}

// ignoreLost drops the errors of having been overtaken: what overtook comes
// in by the watch.
func ignoreLost(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// supply sets the authority in those clients that ask an istiod which is up,
// and reports whether that changed one of them.
func (p *pilot) supply(ctx context.Context, clients []*admissionv1.WebhookClientConfig) (bool, error) {
	changed := false
	for _, client := range clients {
		if client.Service == nil || !p.up(client.Service.Namespace, client.Service.Name) {
			continue
		}
		bundle, err := p.authority(ctx, client.Service.Namespace)
		if err != nil {
			return false, err
		}
		if !bytes.Equal(client.CABundle, bundle) {
			client.CABundle = bundle
			changed = true
		}
	}
	return changed, nil
}

// up reports whether there is an available istiod behind the Service, which
// has the name of its Deployment.
func (p *pilot) up(namespace, name string) bool {
	if name != "istiod" && !strings.HasPrefix(name, "istiod-") {
		return false
	}
	deployment, err := p.deployments.Deployments(namespace).Get(name)
	if err != nil {
		return false
	}
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentAvailable {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// authority returns the certificate of the namespace's authority, which is
// made when it is first asked for and outlives istiod.
func (p *pilot) authority(ctx context.Context, namespace string) ([]byte, error) {
	secrets := p.client.CoreV1().Secrets(namespace)
	secret, err := secrets.Get(ctx, authoritySecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		ca, err := pki.NewAuthority("cluster.local")
		if err != nil {
			return nil, err
		}
		secret, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: authoritySecret, Namespace: namespace},
			Type:       "istio.io/ca-root",
			Data:       map[string][]byte{certificateKey: ca.Cert, privateKeyKey: ca.Key},
		}, metav1.CreateOptions{FieldManager: fieldManager})
		if err != nil {
			return nil, fmt.Errorf("storing istiod's authority in %s: %w", namespace, err)
		}
		return secret.Data[certificateKey], nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading istiod's authority in %s: %w", namespace, err)
	}
	return secret.Data[certificateKey], nil
}
