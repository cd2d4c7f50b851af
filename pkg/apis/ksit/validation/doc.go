// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package validation says which objects of ksit.io are refused, and why. It
// needs nothing but the object itself, and on update the one before it; what
// must be looked up elsewhere is admission's to check.
//
// Messages say what would be right. They never hold a chart value, a manifest
// or the credentials of a URL: errors reach logs and events.
package validation
