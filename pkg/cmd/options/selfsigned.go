// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	genericoptions "k8s.io/apiserver/pkg/server/options"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/klog/v2"
)

// nearExpiry is how long before its end a certificate is complained about.
const nearExpiry = 30 * 24 * time.Hour

// replaceExpired takes away a pair that this program once made for itself, in
// the directory of certificates, and that has expired: another is made then. One
// that is valid is left, even near its end, because somebody has told the host
// to trust just that.
func replaceExpired(o *genericoptions.GeneratableKeyCert, now time.Time) error {
	if o.CertKey.CertFile != "" || o.CertKey.KeyFile != "" || o.CertDirectory == "" {
		return nil
	}
	file := filepath.Join(o.CertDirectory, o.PairName+".crt")
	certs, err := certutil.CertsFromFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the self-signed serving certificate %s: %w", file, err)
	}
	expires := certs[0].NotAfter
	for _, cert := range certs {
		if cert.NotAfter.Before(expires) {
			expires = cert.NotAfter
		}
	}
	if now.Before(expires) {
		if expires.Sub(now) < nearExpiry {
			klog.Background().Info("The self-signed serving certificate expires soon; the first start after that makes another, which the host has to be told of",
				"file", file, "expires", expires)
		}
		return nil
	}
	klog.Background().Info("The self-signed serving certificate has expired, another is made: put it into caBundle of the APIService",
		"file", file, "expired", expires)
	for _, name := range []string{file, filepath.Join(o.CertDirectory, o.PairName+".key")} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("replacing the self-signed serving certificate, which has expired: %w", err)
		}
	}
	return nil
}
