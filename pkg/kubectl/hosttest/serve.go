// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubescheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	ksitscheme "ksit.io/ksit/pkg/generated/clientset/versioned/scheme"
)

// Decode reads the object of a request, in whatever form it is sent.
func Decode(r *http.Request) (runtime.Object, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if object, _, err := ksitscheme.Codecs.UniversalDeserializer().Decode(data, nil, nil); err == nil {
		return object, nil
	}
	if object, _, err := kubescheme.Codecs.UniversalDeserializer().Decode(data, nil, nil); err == nil {
		return object, nil
	}
	object := &unstructured.Unstructured{}
	return object, json.Unmarshal(data, &object.Object)
}

func (h *Host) serve(w http.ResponseWriter, r *http.Request, at address) {
	key := types.NamespacedName{Namespace: at.namespace, Name: at.name}
	switch {
	case r.Method == http.MethodGet && at.name == "" && r.URL.Query().Get("watch") != "":
		h.watch(w, r, at)
	case r.Method == http.MethodGet && at.name == "":
		h.answerList(w, r, at)
	case r.Method == http.MethodPost:
		h.create(w, r, at)
	case r.Method == http.MethodPatch:
		h.apply(w, r, at)
	default:
		h.lock.Lock()
		defer h.lock.Unlock()
		u := h.objects[at.gvr][key]
		switch {
		case u == nil:
			notFound(w, at)
		case r.Method == http.MethodDelete:
			h.remove(at.gvr, key)
			JSON(w, http.StatusOK, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess})
		case r.Method == http.MethodGet:
			JSON(w, http.StatusOK, u)
		default:
			http.Error(w, "not served", http.StatusMethodNotAllowed)
		}
	}
}

func notFound(w http.ResponseWriter, at address) {
	fail(w, &metav1.Status{
		Code: 404, Reason: metav1.StatusReasonNotFound, Message: fmt.Sprintf("%s.%s %q not found", at.gvr.Resource, at.gvr.Group, at.name),
		Details: &metav1.StatusDetails{Group: at.gvr.Group, Kind: at.gvr.Resource, Name: at.name},
	})
}

// selected returns what the selectors of a request ask for.
func selected(r *http.Request, at address) (func(*unstructured.Unstructured) bool, error) {
	byLabel, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return nil, err
	}
	byField, err := fields.ParseSelector(r.URL.Query().Get("fieldSelector"))
	if err != nil {
		return nil, err
	}
	return func(u *unstructured.Unstructured) bool {
		return (at.namespace == "" || at.namespace == u.GetNamespace()) && byLabel.Matches(labels.Set(u.GetLabels())) &&
			byField.Matches(fields.Set{"metadata.name": u.GetName(), "metadata.namespace": u.GetNamespace()})
	}, nil
}

// answerList serves pages, as large as is asked for.
func (h *Host) answerList(w http.ResponseWriter, r *http.Request, at address) {
	matches, err := selected(r, at)
	if err != nil {
		Fail(w, 400, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	kind, _ := kindOf(at.gvr)
	h.lock.Lock()
	all := h.list(at.gvr, matches)
	revision := strconv.Itoa(len(h.events))
	h.lock.Unlock()
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	page, next := all[min(from, len(all)):], ""
	if limit > 0 && len(page) > limit {
		page, next = page[:limit], strconv.Itoa(from+limit)
	}
	items := make([]any, 0, len(page))
	for n := range page {
		items = append(items, page[n].Object)
	}
	JSON(w, http.StatusOK, map[string]any{
		"apiVersion": apiVersion(at.gvr), "kind": kind + "List",
		"metadata": map[string]any{"resourceVersion": revision, "continue": next}, "items": items,
	})
}

// watch streams what happened since a revision.
func (h *Host) watch(w http.ResponseWriter, r *http.Request, at address) {
	if r.URL.Query().Get("sendInitialEvents") != "" {
		// As servers do that cannot: the client lists instead.
		Fail(w, 422, metav1.StatusReasonInvalid, "sendInitialEvents is not served")
		return
	}
	matches, err := selected(r, at)
	if err != nil {
		Fail(w, 400, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	// Whoever waits is woken when the client hangs up.
	go func() {
		<-r.Context().Done()
		h.lock.Lock()
		defer h.lock.Unlock()
		h.changed.Broadcast()
	}()
	next, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	encoder := json.NewEncoder(w)
	for {
		h.lock.Lock()
		for next >= len(h.events) && !h.closed && r.Context().Err() == nil {
			h.changed.Wait()
		}
		fresh, closed := h.events[min(next, len(h.events)):], h.closed
		next = len(h.events)
		h.lock.Unlock()
		if closed || r.Context().Err() != nil {
			return
		}
		for _, e := range fresh {
			if e.in == at.gvr && matches(e.object) {
				if encoder.Encode(map[string]any{"type": e.kind, "object": e.object}) != nil {
					return
				}
			}
		}
		w.(http.Flusher).Flush()
	}
}

func (h *Host) create(w http.ResponseWriter, r *http.Request, at address) {
	object, err := Decode(r)
	if err != nil {
		Fail(w, 400, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	u, ok := object.(*unstructured.Unstructured)
	if !ok {
		if u, _, err = wire(object); err != nil {
			Fail(w, 400, metav1.StatusReasonBadRequest, err.Error())
			return
		}
	}
	if at.namespace != "" {
		u.SetNamespace(at.namespace)
	}
	key := types.NamespacedName{Namespace: u.GetNamespace(), Name: u.GetName()}
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.objects[at.gvr][key] != nil {
		fail(w, &metav1.Status{
			Code: 409, Reason: metav1.StatusReasonAlreadyExists, Message: fmt.Sprintf("%s %q already exists", at.gvr.Resource, key.Name),
			Details: &metav1.StatusDetails{Group: at.gvr.Group, Kind: at.gvr.Resource, Name: key.Name},
		})
		return
	}
	u.SetGeneration(1)
	JSON(w, http.StatusCreated, h.put(at.gvr, u))
}

// apply takes server-side applies: of a single manager, which owns all it sends.
func (h *Host) apply(w http.ResponseWriter, r *http.Request, at address) {
	data, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Type") != string(types.ApplyPatchType) {
		Fail(w, 415, metav1.StatusReasonUnsupportedMediaType, "only server-side apply is served")
		return
	}
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(data, &u.Object); err != nil {
		Fail(w, 400, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	u.SetNamespace(at.namespace)
	h.lock.Lock()
	defer h.lock.Unlock()
	key := types.NamespacedName{Namespace: at.namespace, Name: at.name}
	generation := int64(1)
	if old := h.objects[at.gvr][key]; old != nil {
		generation = old.GetGeneration()
		if !reflect.DeepEqual(old.Object["spec"], u.Object["spec"]) {
			generation++
		}
		if status, has := old.Object["status"]; has {
			u.Object["status"] = status
		}
	}
	u.SetGeneration(generation)
	if r.URL.Query().Get("dryRun") != "" {
		JSON(w, http.StatusOK, u)
		return
	}
	JSON(w, http.StatusOK, h.put(at.gvr, u))
}
