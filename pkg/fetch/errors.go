// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

var (
	// ErrRefused is the cause of errors for URLs that KSIT does not fetch.
	// Trying again does not help.
	ErrRefused = errors.New("refused")
	// ErrNotAllowed is the cause of those that the operator does not allow. It is
	// an ErrRefused.
	ErrNotAllowed = fmt.Errorf("%w by the operator's --allowed-sources", ErrRefused)
	// ErrTooLarge is the cause of errors for what exceeds its limit.
	ErrTooLarge = errors.New("too large")
)

// StatusError is an answer other than the one asked for.
type StatusError struct {
	// Code is the HTTP status.
	Code int
	// Presented is true where the server was shown who asks.
	Presented bool
}

func (e *StatusError) Error() string {
	if text := http.StatusText(e.Code); text != "" {
		return fmt.Sprintf("the server answered %d %s", e.Code, text)
	}
	return fmt.Sprintf("the server answered %d", e.Code)
}

// Redact returns a URL without what can hold a secret, for messages and
// status: the user, the query and the fragment.
func Redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "the URL"
	}
	return redactURL(u)
}

func redactURL(u *url.URL) string {
	clean := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return clean.String()
}

// bare takes off an error of net/http what it must not tell: the URL, which can
// hold a query with a signature, and what a server said that speaks no HTTP.
func bare(err error) error {
	for {
		var urlError *url.Error
		if !errors.As(err, &urlError) {
			break
		}
		err = urlError.Err
	}
	if !errors.Is(err, ErrRefused) && strings.Contains(err.Error(), "malformed") {
		return errors.New("the server does not speak HTTP")
	}
	return err
}
