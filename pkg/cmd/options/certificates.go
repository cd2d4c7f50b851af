// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/types"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/client-go/tools/cache"
	cliflag "k8s.io/component-base/cli/flag"

	"ksit.io/ksit/pkg/certificates"
)

const (
	minCertificateValidity = time.Hour
	minCertificateOverlap  = 10 * time.Second
	// maxValidity is more than anybody wants, and keeps dates in certificates
	// within what is written there.
	maxValidity     = 50 * 365 * 24 * time.Hour
	maxServingNames = 50
)

// ServingSecret names a Secret of the host cluster to serve with.
type ServingSecret struct {
	// Secret is NAMESPACE/NAME; empty for none.
	Secret string
}

// NewServingSecret returns the defaults.
func NewServingSecret() *ServingSecret { return &ServingSecret{} }

// AddFlags adds the flags.
func (o *ServingSecret) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Secret, "serving-secret", o.Secret,
		"Secret of the host cluster, NAMESPACE/NAME, with the certificate to serve with (tls.crt, tls.key). The process waits for it at its start, "+
			"and takes up a change within seconds. Not together with --tls-cert-file.")
}

// Enabled is whether a Secret is served from.
func (o *ServingSecret) Enabled() bool { return o.Secret != "" }

// Name returns the name of the Secret.
func (o *ServingSecret) Name() (types.NamespacedName, error) {
	return secretName("--serving-secret", o.Secret)
}

// validate returns everything that is wrong, given what else the server may
// serve with.
func (o *ServingSecret) validate(files *genericoptions.GeneratableKeyCert) error {
	if !o.Enabled() {
		return nil
	}
	_, err := o.Name()
	if files.CertKey.CertFile != "" || files.CertKey.KeyFile != "" {
		err = errors.Join(err, errors.New("--serving-secret and --tls-cert-file exclude each other"))
	}
	return err
}

// Certificates are the options of the authority that KSIT keeps itself.
type Certificates struct {
	// Secret of the authority, NAMESPACE/NAME; empty when KSIT has none.
	Secret string
	// Names that are certified.
	Names []string
	// Validity of certificates, and of the authority.
	Validity, AuthorityValidity time.Duration
	// Overlap is how long authorities are trusted before and after they sign.
	Overlap time.Duration
}

// NewCertificates returns the defaults.
func NewCertificates() *Certificates {
	return &Certificates{
		Names:             []string{ServiceHost, "ksit-controller-manager.ksit-system.svc", "localhost"},
		Validity:          90 * 24 * time.Hour,
		AuthorityValidity: 5 * 365 * 24 * time.Hour,
		Overlap:           10 * time.Minute,
	}
}

// AddFlags adds the flags, by group.
func (o *Certificates) AddFlags(groups *cliflag.NamedFlagSets) {
	fs := groups.FlagSet("certificates")
	fs.StringVar(&o.Secret, "ca-secret", o.Secret,
		"Secret of the host cluster, NAMESPACE/NAME, in which KSIT keeps an authority of its own. With it the certificate in --serving-secret is made and "+
			"rotated, and the APIService is told whom to trust. Both Secrets must exist, and may be empty.")
	fs.StringSliceVar(&o.Names, "serving-names", o.Names,
		"DNS names and IP addresses that the certificate is for, comma separated. Without the name of the Service of the APIService, NAME.NAMESPACE.svc, that is left alone.")
	fs.DurationVar(&o.Validity, "certificate-validity", o.Validity,
		"How long a certificate is valid. It is replaced when two thirds of that are over.")
	fs.DurationVar(&o.AuthorityValidity, "authority-validity", o.AuthorityValidity,
		"How long the authority is valid. It is replaced when two thirds of that are over.")
	fs.DurationVar(&o.Overlap, "certificate-overlap", o.Overlap,
		"How long a new authority is trusted before it signs, and the old one after the last that it signed was replaced.")
}

// Enabled is whether KSIT keeps an authority.
func (o *Certificates) Enabled() bool { return o.Secret != "" }

// Options returns what is kept, in which Secrets.
func (o *Certificates) Options(serving *ServingSecret) (certificates.Options, error) {
	authority, err := secretName("--ca-secret", o.Secret)
	if err != nil {
		return certificates.Options{}, err
	}
	served, err := serving.Name()
	if err != nil {
		return certificates.Options{}, err
	}
	return certificates.Options{
		Authority: authority, Serving: served,
		Names: o.Names, Validity: o.Validity, AuthorityValidity: o.AuthorityValidity, Overlap: o.Overlap,
	}, nil
}

// Validate returns everything that is wrong with the options.
func (o *Certificates) Validate(serving *ServingSecret) error {
	if !o.Enabled() {
		return nil
	}
	var errs []error
	if _, err := secretName("--ca-secret", o.Secret); err != nil {
		errs = append(errs, err)
	}
	switch {
	case !serving.Enabled():
		errs = append(errs, errors.New("--ca-secret needs --serving-secret, in which it puts what it signs"))
	case serving.Secret == o.Secret:
		errs = append(errs, errors.New("--ca-secret and --serving-secret must be different Secrets"))
	}
	if len(o.Names) == 0 || len(o.Names) > maxServingNames {
		errs = append(errs, fmt.Errorf("--serving-names has %d names, it must have from 1 to %d", len(o.Names), maxServingNames))
	}
	for _, name := range o.Names {
		if problems := utilvalidation.IsDNS1123Subdomain(name); net.ParseIP(name) == nil && len(problems) > 0 {
			errs = append(errs, fmt.Errorf("--serving-names has %q, which is neither a DNS name nor an IP address", name))
		}
	}
	if o.Validity < minCertificateValidity || o.Validity > maxValidity {
		errs = append(errs, fmt.Errorf("--certificate-validity is %s, it must be from %s to %s", o.Validity, minCertificateValidity, maxValidity))
	}
	if o.AuthorityValidity < 2*o.Validity || o.AuthorityValidity > maxValidity {
		errs = append(errs, fmt.Errorf("--authority-validity is %s, it must be at least twice --certificate-validity, and at most %s", o.AuthorityValidity, maxValidity))
	}
	if o.Overlap < minCertificateOverlap || o.Overlap > o.Validity/8 {
		errs = append(errs, fmt.Errorf("--certificate-overlap is %s, it must be from %s to an eighth of --certificate-validity", o.Overlap, minCertificateOverlap))
	}
	return errors.Join(errs...)
}

func secretName(flag, value string) (types.NamespacedName, error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(value)
	if err != nil || len(utilvalidation.IsDNS1123Label(namespace)) > 0 || len(utilvalidation.IsDNS1123Subdomain(name)) > 0 {
		return types.NamespacedName{}, fmt.Errorf("%s is %q, it must be NAMESPACE/NAME", flag, value)
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}
