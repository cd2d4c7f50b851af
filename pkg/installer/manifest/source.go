// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/catalog"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
)

// maxBytes bounds the manifests of a release.
const maxBytes = 10 << 20

// content is a stream of manifests and what is shown of where it came from.
type content struct {
	data []byte
	// source is a URL without what could be secret, configmap/NAME, or inline.
	source string
	// version is that in the URL; empty where there is none.
	version string
}

// load gets the manifests that a request names.
func (i *Installer) load(ctx context.Context, req installer.Request) (*content, error) {
	var config v1alpha1.ManifestConfig
	if req.AutoInstall != nil && req.AutoInstall.ManifestConfig != nil {
		config = *req.AutoInstall.ManifestConfig
	}
	switch {
	case config.ConfigMapRef != nil:
		return bounded(&content{data: req.Sources.Manifests, source: "configmap/" + config.ConfigMapRef.Name})
	case config.Manifests != "":
		return bounded(&content{data: []byte(config.Manifests), source: "inline"})
	case config.URL != "":
		return i.download(ctx, config.URL, config.Digest, req.Sources.Access)
	}
	if entry, ok := catalog.For(string(req.Type)); ok && entry.ManifestURL != "" {
		return i.download(ctx, entry.ManifestURL, config.Digest, req.Sources.Access)
	}
	return nil, installer.Terminalf(installer.ReasonManifestInvalid,
		"there are no manifests for type %s: set url, configMapRef or manifests in spec.autoInstall.manifestConfig", req.Type)
}

func bounded(c *content) (*content, error) {
	if len(c.data) > maxBytes {
		return nil, installer.Terminalf(installer.ReasonTooLarge, "the manifests of %s are %d bytes, more than %d", c.source, len(c.data), maxBytes)
	}
	return c, nil
}

func (i *Installer) download(ctx context.Context, from, digest string, access *fetch.Access) (*content, error) {
	client, err := i.options.Fetch.For(access, from)
	if err != nil {
		return nil, installer.Terminalf(installer.ReasonManifestUnavailable, "fetching %s: %w", fetch.Redact(from), err)
	}
	data, err := client.Get(ctx, from, fetch.Limits{MaxBytes: maxBytes})
	var status *fetch.StatusError
	switch {
	case errors.Is(err, fetch.ErrTooLarge):
		return nil, &installer.Error{Reason: installer.ReasonTooLarge, Terminal: true, Err: err}
	case errors.Is(err, fetch.ErrNotAllowed):
		return nil, &installer.Error{Reason: installer.ReasonSourceRefused, Terminal: true, Err: err}
	case errors.Is(err, fetch.ErrRefused):
		return nil, &installer.Error{Reason: installer.ReasonManifestUnavailable, Terminal: true, Err: err}
	case errors.As(err, &status) && status.Code == http.StatusNotFound:
		return nil, installer.Errorf(installer.ReasonManifestUnavailable, "%w: check spec.autoInstall.manifestConfig.url", err)
	case errors.As(err, &status) && (status.Code == http.StatusUnauthorized || status.Code == http.StatusForbidden):
		return nil, installer.Errorf(installer.ReasonManifestUnavailable, "%w: %s", err, fetch.Denied(access, status.Presented))
	case err != nil:
		return nil, &installer.Error{Reason: installer.ReasonManifestUnavailable, Err: err}
	}
	source := fetch.Redact(from)
	if got := sha256Digest(data); digest != "" && !strings.EqualFold(digest, got) {
		return nil, installer.Terminalf(installer.ReasonDigestMismatch,
			"what %s holds has the digest %s, not %s as spec.autoInstall.manifestConfig.digest says: nothing was applied", source, got, digest)
	}
	return &content{data: data, source: source, version: versionIn(from)}, nil
}

func sha256Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// shortDigest is what stands for a version where there is none.
func shortDigest(digest string) string {
	hexadecimal := strings.TrimPrefix(digest, "sha256:")
	return hexadecimal[:min(12, len(hexadecimal))]
}

var versionPattern = regexp.MustCompile(`^v?[0-9]+\.[0-9]+(\.[0-9]+)?([-+][0-9A-Za-z.+-]+)?$`)

// versionIn returns the last part of a URL's path that is a version, such as
// v2.2.3 in .../releases/download/v2.2.3/install.yaml.
func versionIn(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	parts := strings.Split(u.Path, "/")
	for n := len(parts) - 1; n >= 0; n-- {
		if len(parts[n]) <= 64 && versionPattern.MatchString(parts[n]) {
			return parts[n]
		}
	}
	return ""
}
