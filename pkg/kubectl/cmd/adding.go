// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/kubectl/enroll"
	"ksit.io/ksit/pkg/version"
)

// adding is a target on its way to KSIT.
type adding struct {
	*addOptions
	target enroll.Target
	hosts  enroll.Hosts
	there  bool
}

func (a *adding) run(ctx context.Context) error {
	config, err := enroll.Load(a.kubeconfig, a.context)
	if err != nil {
		return err
	}
	if !a.mint {
		// What is refused is refused before anybody is asked.
		if err := a.flatten(config); err != nil {
			return err
		}
	}
	if a.output != "" {
		return a.printInstead()
	}
	if err := a.findHost(ctx); err != nil {
		return err
	}
	if a.dryRun {
		return a.rehearse(ctx)
	}
	if a.mint {
		if err := a.mintAccount(ctx, config); err != nil {
			return err
		}
	} else if a.impersonation.Wanted() {
		if err := a.allowImpersonation(ctx, config); err != nil {
			return err
		}
	}
	if err := a.try(ctx); err != nil {
		return err
	}
	register := enroll.Create
	if a.there {
		register = enroll.Replace
	}
	if err := register(ctx, a.hosts, &a.target, a.say); err != nil {
		return err
	}
	if !a.addOptions.wait {
		return nil
	}
	return a.untilReady(ctx)
}

// flatten makes the kubeconfig of the target one that KSIT takes.
func (a *adding) flatten(config *clientcmdapi.Config) error {
	data, _, err := enroll.Flatten(config, cluster.ParseOptions{AllowInsecure: a.insecure})
	switch cluster.ReasonOf(err) {
	case cluster.ReasonExecRefused, cluster.ReasonAuthProviderRefused, cluster.ReasonImpersonationRefused, cluster.ReasonNoCredentials:
		if !a.mint {
			return fmt.Errorf("%w\nKSIT runs no programs of others. With --mint-service-account your credentials are used once, here, "+
				"to make a service account on the target, and only its token is stored", err)
		}
	}
	if err != nil {
		return err
	}
	a.target.Kubeconfig = data
	return nil
}

// findHost makes sure that the host has KSIT and, unless it is to be replaced,
// no such target, before anything is made anywhere.
func (a *adding) findHost(ctx context.Context) error {
	var err error
	if a.hosts, err = a.session.hosts(); err != nil {
		return err
	}
	_, err = a.hosts.KSIT.KsitV1alpha1().IntegrationTargets(a.target.Namespace).Get(ctx, a.target.Name, metav1.GetOptions{})
	switch {
	case err == nil && !a.overwrite:
		return fmt.Errorf("target %s/%s exists: --overwrite replaces its credentials", a.target.Namespace, a.target.Name)
	case err == nil:
		a.there = true
	case !apierrors.IsNotFound(err) || a.withoutKSIT(err) != "":
		return err
	}
	return nil
}

// printInstead prints the objects. The credentials are not among them: they
// would end in a file.
func (a *adding) printInstead() error {
	secret := a.target.Secret()
	secret.StringData = map[string]string{"kubeconfig": "(left out: put the kubeconfig here, with all of its files inline)"}
	return printObjects(a.Out, a.output, false, secret, a.target.Object())
}

// rehearse tries what changes nothing, and says what would be done.
func (a *adding) rehearse(ctx context.Context) error {
	if a.mint {
		a.say("service account %s/ksit-%s, a binding to ClusterRole %s and a token for %s would be made on the target (dry run)",
			a.account.Namespace, a.target.Name, a.account.ClusterRole, a.account.TokenDuration)
	} else if err := a.try(ctx); err != nil {
		return err
	}
	if a.impersonation.Wanted() {
		a.say("a ClusterRole to act as users %q and groups %q would be made and bound on the target (dry run)", a.impersonation.Users, a.impersonation.Groups)
	}
	a.say("secret/%s would be made (dry run)", enroll.SecretName(a.target.Name))
	a.say("integrationtarget.ksit.io/%s would be made (dry run)", a.target.Name)
	return nil
}

func (a *adding) mintAccount(ctx context.Context, config *clientcmdapi.Config) error {
	client, err := clientOf(config)
	if err != nil {
		return err
	}
	account := a.account
	account.Name, account.Impersonation = "ksit-"+a.target.Name, a.impersonation
	minted, err := enroll.Mint(ctx, client, config, account, a.say)
	if err != nil {
		return err
	}
	if granted := minted.ExpiresAt.Sub(a.now()); granted < account.TokenDuration-time.Hour {
		a.warn("the target gives tokens for less than %s: this one ends at %s", account.TokenDuration, minted.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return a.flatten(minted.Config)
}

func (a *adding) allowImpersonation(ctx context.Context, config *clientcmdapi.Config) error {
	client, err := clientOf(config)
	if err != nil {
		return err
	}
	self, err := enroll.Self(ctx, client)
	if err != nil {
		return err
	}
	return enroll.AllowImpersonation(ctx, client, self, a.impersonation, a.say)
}

func clientOf(config *clientcmdapi.Config) (kubernetes.Interface, error) {
	restConfig, err := enroll.ClientConfig(config)
	if err != nil {
		return nil, err
	}
	restConfig.UserAgent = "kubectl-ksit/" + version.Get().GitVersion
	return kubernetes.NewForConfig(restConfig)
}

// try connects as KSIT will.
func (a *adding) try(ctx context.Context) error {
	report, err := enroll.Try(ctx, a.target.Kubeconfig, cluster.Options{AllowInsecure: a.insecure, UserAgent: "kubectl-ksit/" + version.Get().GitVersion})
	if err != nil {
		return fmt.Errorf("the target cannot be used: %w", err)
	}
	nodes := "nodes that cannot be counted"
	if report.Nodes != nil {
		nodes = fmt.Sprintf("%d of %d nodes ready", report.Nodes.Ready, report.Nodes.Total)
	}
	a.say("the target answers: Kubernetes %s, %s; %s", report.Version, nodes, report.Authorized.Message)
	return nil
}

// untilReady waits until KSIT says that it can install on the target. What it
// said of credentials that were replaced does not count: then it is asked anew.
func (a *adding) untilReady(ctx context.Context) error {
	var last *v1alpha1.IntegrationTarget
	targets := a.hosts.KSIT.KsitV1alpha1().IntegrationTargets(a.target.Namespace)
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, a.timeout, true, func(ctx context.Context) (bool, error) {
		if a.there {
			health, err := targets.GetHealth(ctx, a.target.Name, metav1.GetOptions{})
			return err == nil && health.Ready, ignoreTemporary(err)
		}
		target, err := targets.Get(ctx, a.target.Name, metav1.GetOptions{})
		if err != nil {
			return false, ignoreTemporary(err)
		}
		last = target
		return target.Status.Ready && target.Status.ObservedGeneration == target.Generation, nil
	})
	switch {
	case err == nil:
		a.say("integrationtarget.ksit.io/%s is ready", a.target.Name)
		return nil
	case wait.Interrupted(err) && last != nil:
		return fmt.Errorf("target %s is not ready after %s: %s", a.target.Name, a.timeout, notReady(last))
	case wait.Interrupted(err):
		return fmt.Errorf("target %s is not ready after %s", a.target.Name, a.timeout)
	default:
		return err
	}
}

// ignoreTemporary keeps errors from ending a wait that may pass.
func ignoreTemporary(err error) error {
	var status apierrors.APIStatus
	if err == nil || !errors.As(err, &status) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) {
		return nil
	}
	return err
}
