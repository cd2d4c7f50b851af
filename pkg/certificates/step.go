// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// change is what a step makes of what is observed; nil is what stays.
type change struct {
	authority, serving *content
	bundle             []byte
}

// carryOut makes the content that a decision asks for. It writes nothing.
func carryOut(d decision, o observed, options Options, now time.Time) (change, error) {
	s := read(o, now)
	authority, serving := o.authority.clone(), o.serving.clone()
	switch d.action {
	case createAuthority:
		made, err := newAuthority(now, options.AuthorityValidity)
		if err != nil {
			return change{}, err
		}
		s.signer, s.next = made, nil
		delete(authority.annotations, AnnouncedAnnotation)
		delete(authority.annotations, RetiredAnnotation)
		authority.answered()
	case announceAuthority:
		made, err := newAuthority(now, options.AuthorityValidity)
		if err != nil {
			return change{}, err
		}
		s.next = made
		delete(authority.annotations, AnnouncedAnnotation)
		delete(authority.annotations, RetiredAnnotation)
		authority.answered()
	case startOverlap:
		authority.mark(AnnouncedAnnotation, now)
	case promoteAuthority:
		if s.signer != nil {
			s.previous = append([]*x509.Certificate{s.signer.cert}, s.previous...)
		}
		s.signer, s.next = s.next, nil
		delete(authority.annotations, AnnouncedAnnotation)
		delete(authority.annotations, RetiredAnnotation)
	case startRetirement:
		authority.mark(RetiredAnnotation, now)
	case dropAuthority:
		s.previous = nil
		delete(authority.annotations, RetiredAnnotation)
	case issueCertificate:
		made, err := newCertificate(s.signer, options, now)
		if err != nil {
			return change{}, err
		}
		serving.data[certKey], serving.data[keyKey] = made.certPEM, made.keyPEM
		serving.data[bundleKey] = encodeBundle(s.trusted())
		serving.answered()
		return change{serving: &serving}, nil
	case publishBundle:
		c := change{bundle: encodeBundle(s.trusted())}
		// What was taken out again has not been trusted all the time.
		if _, announced := authority.annotations[AnnouncedAnnotation]; announced {
			delete(authority.annotations, AnnouncedAnnotation)
			c.authority = &authority
		}
		return c, nil
	case copyBundle:
		delete(authority.annotations, AnnouncedAnnotation)
		s.store(authority)
		c := change{authority: &authority}
		if s.served != nil {
			serving.data[bundleKey] = encodeBundle(s.trusted())
			c.serving = &serving
		}
		return c, nil
	default:
		return change{}, fmt.Errorf("the step %q is unknown", d.action)
	}
	s.store(authority)
	return change{authority: &authority}, nil
}

// store writes the authorities into their Secret's content.
func (s *state) store(c content) {
	put := func(key string, value []byte) {
		if len(value) == 0 {
			delete(c.data, key)
			return
		}
		c.data[key] = value
	}
	for _, at := range []struct {
		p         *pair
		cert, key string
	}{{s.signer, certKey, keyKey}, {s.next, nextCertKey, nextKeyKey}} {
		if at.p == nil {
			at.p = &pair{}
		}
		put(at.cert, at.p.certPEM)
		put(at.key, at.p.keyPEM)
	}
	others := slices.DeleteFunc(slices.Clone(s.previous), func(cert *x509.Certificate) bool {
		return s.signer != nil && s.signer.cert.Equal(cert) || s.next != nil && s.next.cert.Equal(cert)
	})
	put(previousKey, encodeBundle(others))
	put(bundleKey, encodeBundle(s.trusted()))
}
