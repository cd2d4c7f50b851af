// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// askInterval is how often a Secret that is not filled yet is asked for.
const askInterval = time.Second

// Provider gives a server the pair of a Secret of the host, and follows the
// Secret as long as it runs. It keeps the last good pair when the Secret goes
// away, is emptied or broken, or the host cannot be reached.
type Provider struct {
	client kubernetes.Interface
	secret types.NamespacedName
	now    func() time.Time

	mu        sync.RWMutex
	current   *pair
	refused   string // What was refused last, and why: said once.
	listeners []dynamiccertificates.Listener
}

var (
	_ dynamiccertificates.CertKeyContentProvider = &Provider{}
	_ dynamiccertificates.ControllerRunner       = &Provider{}
)

// NewProvider returns a Provider that holds nothing until Wait or Run.
func NewProvider(client kubernetes.Interface, secret types.NamespacedName) *Provider {
	return &Provider{client: client, secret: secret, now: time.Now}
}

// Name implements dynamiccertificates.CertKeyContentProvider.
func (p *Provider) Name() string { return "secret/" + p.secret.String() }

// CurrentCertKeyContent implements dynamiccertificates.CertKeyContentProvider.
func (p *Provider) CurrentCertKeyContent() (cert, key []byte) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.current == nil {
		return nil, nil
	}
	return p.current.certPEM, p.current.keyPEM
}

// AddListener implements dynamiccertificates.Notifier.
func (p *Provider) AddListener(listener dynamiccertificates.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listeners = append(p.listeners, listener)
}

// Wait returns when the Secret holds a pair that can be served, and fails when
// there is none after the timeout.
func (p *Provider) Wait(ctx context.Context, timeout time.Duration) error {
	logger := klog.FromContext(ctx).WithValues("secret", p.secret)
	last := errors.New("the host was not reached")
	said := false
	err := wait.PollUntilContextTimeout(ctx, askInterval, timeout, true, func(ctx context.Context) (bool, error) {
		err := p.RunOnce(ctx)
		if err == nil {
			return true, nil
		}
		if ctx.Err() == nil {
			last = err
		}
		if !said {
			logger.Info("Waiting for the serving certificate", "err", last.Error())
			said = true
		}
		return false, nil
	})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("waiting %s for a serving certificate in the Secret %s, which a KSIT with --ca-secret fills in, or you: %w", timeout, p.secret, last)
	}
	return nil
}

// RunOnce implements dynamiccertificates.ControllerRunner: it reads the Secret.
func (p *Provider) RunOnce(ctx context.Context) error {
	secret, err := p.client.CoreV1().Secrets(p.secret.Namespace).Get(ctx, p.secret.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the Secret: %w", err)
	}
	return p.take(secret)
}

// Run implements dynamiccertificates.ControllerRunner: it follows the Secret
// until ctx is done. The server that uses the Provider calls it.
func (p *Provider) Run(ctx context.Context, _ int) {
	logger := klog.FromContext(ctx).WithValues("secret", p.secret)
	follow := func(object any) {
		secret, ok := object.(*corev1.Secret)
		if !ok {
			return
		}
		before, _ := p.CurrentCertKeyContent()
		if err := p.take(secret); err != nil {
			if p.refuse(secret.ResourceVersion) {
				logger.Error(err, "The serving certificate cannot be used; the last good one is served on")
			}
			return
		}
		if after, _ := p.CurrentCertKeyContent(); !bytes.Equal(before, after) {
			logger.Info("Serving with another certificate", "expires", p.expiry())
		}
	}
	informer := newSecretInformer(p.client, p.secret)
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    follow,
		UpdateFunc: func(_, object any) { follow(object) },
		DeleteFunc: func(any) {
			logger.Error(nil, "The Secret of the serving certificate is gone; the last good certificate is served on")
		},
	})
	if err != nil {
		logger.Error(err, "Subscribing to the Secret of the serving certificate")
		return
	}
	informer.RunWithContext(ctx)
}

// take makes the pair of the Secret the current one if it can be served.
func (p *Provider) take(secret *corev1.Secret) error {
	next, err := parsePair(secret.Data[certKey], secret.Data[keyKey])
	if err != nil {
		return err
	}
	if !p.now().Before(next.cert.NotAfter) {
		return fmt.Errorf("the certificate has expired at %s", next.cert.NotAfter.UTC().Format(time.RFC3339))
	}
	p.mu.Lock()
	p.refused = ""
	same := p.current != nil && bytes.Equal(p.current.certPEM, next.certPEM) && bytes.Equal(p.current.keyPEM, next.keyPEM)
	p.current = next
	listeners := p.listeners
	p.mu.Unlock()
	if !same {
		for _, listener := range listeners {
			listener.Enqueue()
		}
	}
	return nil
}

// refuse notes what was refused, and tells whether that is new.
func (p *Provider) refuse(version string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := p.refused != version
	p.refused = version
	return fresh
}

func (p *Provider) expiry() time.Time {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.current.cert.NotAfter
}
