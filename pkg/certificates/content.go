// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package certificates makes, hands out and rotates the certificate that KSIT
// serves with. Everything that lasts is in two Secrets of the host cluster: one
// holds the authority and its key, the other the pair that is served. What is
// next is one pure function, decide, of these Secrets, of the bundle that the
// host trusts, and of the time. The Keeper carries it out; a Provider serves the
// pair, in every process that serves.
//
// An authority is trusted before it signs, and as long as something that it
// signed is served: the host never meets a certificate that it cannot verify.
package certificates

import (
	"maps"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Keys of the data of both Secrets. The pair of the Secret of the authority is
// the one that signs.
const (
	certKey   = corev1.TLSCertKey
	keyKey    = corev1.TLSPrivateKeyKey
	bundleKey = "ca.crt"
)

// Keys of the Secret of the authority alone: the authority that is announced and
// does not sign yet, and the certificates of those that are trusted still.
const (
	nextCertKey = "next.crt"
	nextKeyKey  = "next.key"
	previousKey = "previous.crt"
)

const (
	// RotateAnnotation asks for a rotation whenever its value is new: of the pair
	// on the Secret that is served from, and of the authority, too, on its own.
	RotateAnnotation = "ksit.io/rotate"
	// RotatedAnnotation is the value of RotateAnnotation that was last acted upon.
	RotatedAnnotation = "ksit.io/rotated"
	// AnnouncedAnnotation is when the announced authority was in every bundle.
	AnnouncedAnnotation = "ksit.io/announced"
	// RetiredAnnotation is when the last that a previous authority signed was
	// replaced.
	RetiredAnnotation = "ksit.io/retired"
)

// Options say which certificates there are. A rotation, which takes two overlaps
// and some seconds, must fit well into the last quarter of the life of what is
// rotated.
type Options struct {
	// Authority and Serving are the Secrets. They exist: the Keeper creates none.
	Authority, Serving types.NamespacedName
	// Names are the DNS names and IP addresses that the certificate is for.
	Names []string
	// Validity of the certificate, and of the authority.
	Validity, AuthorityValidity time.Duration
	// Overlap is how long a new authority is trusted before it signs, and an old
	// one after everything that it signed was replaced.
	Overlap time.Duration
}

func (o Options) addresses() (dns []string, ips []net.IP) {
	for _, name := range o.Names {
		if ip := net.ParseIP(name); ip != nil {
			ips = append(ips, ip)
		} else {
			dns = append(dns, name)
		}
	}
	return dns, ips
}

// content is what is decided by, and changed, of a Secret.
type content struct {
	data        map[string][]byte
	annotations map[string]string
}

func (c content) clone() content {
	return content{data: nonNil(maps.Clone(c.data)), annotations: nonNil(maps.Clone(c.annotations))}
}

func nonNil[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// asked is whether somebody wants a rotation that there was none for yet.
func (c content) asked() bool {
	value := c.annotations[RotateAnnotation]
	return value != "" && value != c.annotations[RotatedAnnotation]
}

// answered notes that what somebody asked for is done.
func (c content) answered() {
	if value := c.annotations[RotateAnnotation]; value != "" {
		c.annotations[RotatedAnnotation] = value
	}
}

// when reads a time, which is zero where there is none that can be read.
func (c content) when(annotation string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, c.annotations[annotation])
	if err != nil {
		return time.Time{}
	}
	return t
}

func (c content) mark(annotation string, t time.Time) {
	c.annotations[annotation] = t.UTC().Format(time.RFC3339Nano)
}

// observed is all that a decision is made of.
type observed struct {
	authority, serving content
	// registered is whether there is an APIService that leads to this KSIT, and
	// bundle the certificates by which the host verifies it, as PEM.
	registered bool
	bundle     []byte
}
