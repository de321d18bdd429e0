package fleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// API is a Meilisearch API: of a node or of a Miroir.
type API struct {
	URL string
	Key string // bearer token; empty for none
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Code is the error code of the answer, if any.
func (a *Answer) Code() string {
	var e struct{ Code string }
	_ = json.Unmarshal(a.Body, &e) // no JSON, no code
	return e.Code
}

// Degraded is the header X-Miroir-Degraded.
func (a *Answer) Degraded() string { return a.Header.Get("X-Miroir-Degraded") }

// TaskUID is the uid of the task that the answer announces, or -1.
func (a *Answer) TaskUID() int64 {
	v := struct{ TaskUID *int64 }{}
	if err := json.Unmarshal(a.Body, &v); err != nil || v.TaskUID == nil {
		return -1
	}
	return *v.TaskUID
}

var client = &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

// try sends one request. Headers come as name, value; without a Content-Type
// and with a body it is JSON.
func (s API) try(method, path string, body []byte, headers ...string) (*Answer, error) {
	req, err := http.NewRequest(method, s.URL+path, bytes.NewReader(body)) //nolint:noctx // bounded by the client's time-out
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.Key != "" {
		req.Header.Set("Authorization", "Bearer "+s.Key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	return &Answer{resp.StatusCode, resp.Header, data}, err
}

// Try sends one request; body is raw JSON text, or empty for none. It may be
// called from any goroutine.
func (s API) Try(method, path, body string, headers ...string) (*Answer, error) {
	var b []byte
	if body != "" {
		b = []byte(body)
	}
	return s.try(method, path, b, headers...)
}

// Do is Try that fails the test when there is no answer.
func (s API) Do(t testing.TB, method, path, body string, headers ...string) *Answer {
	t.Helper()
	a, err := s.Try(method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// Get reads a JSON answer with status 200 into v.
func (s API) Get(t testing.TB, path string, v any) {
	t.Helper()
	a := s.Do(t, http.MethodGet, path, "")
	decode(t, path, a, v)
}

// Post sends JSON and reads an answer with status 200 into v.
func (s API) Post(t testing.TB, path, body string, v any) *Answer {
	t.Helper()
	a := s.Do(t, http.MethodPost, path, body)
	decode(t, path, a, v)
	return a
}

func decode(t testing.TB, path string, a *Answer, v any) {
	t.Helper()
	if a.Status != http.StatusOK {
		t.Fatalf("%s: status %d: %s", path, a.Status, a.Body)
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("%s: %v in %s", path, err, a.Body)
	}
}

// Task is the part of a task that tests look at.
type Task struct {
	UID      int64
	IndexUID string
	Status   string
	Type     string
	Details  json.RawMessage
	Error    json.RawMessage
}

// Write sends a write that must be accepted and waits until it succeeded.
func (s API) Write(t testing.TB, method, path, body string) *Answer {
	t.Helper()
	a := s.Do(t, method, path, body)
	if a.Status != http.StatusAccepted {
		t.Fatalf("%s %s: status %d: %s", method, path, a.Status, a.Body)
	}
	s.Succeeded(t, a.TaskUID())
	return a
}

// Finished waits until a task has ended.
func (s API) Finished(t testing.TB, uid int64) Task {
	t.Helper()
	var task Task
	Eventually(t, 90*time.Second, fmt.Sprintf("end of task %d", uid), func() error {
		s.Get(t, fmt.Sprintf("/tasks/%d", uid), &task)
		if task.Status == "enqueued" || task.Status == "processing" {
			return fmt.Errorf("status %s", task.Status)
		}
		return nil
	})
	return task
}

// Succeeded waits until a task has succeeded.
func (s API) Succeeded(t testing.TB, uid int64) {
	t.Helper()
	if task := s.Finished(t, uid); task.Status != "succeeded" {
		t.Fatalf("task %d %s: %s", uid, task.Status, task.Error)
	}
}

func (s API) healthy(t testing.TB) {
	t.Helper()
	Eventually(t, 20*time.Second, "healthy "+s.URL, func() error {
		a, err := s.try(http.MethodGet, "/health", nil)
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("status %d", a.Status)
		}
		return err
	})
}

// wait is Eventually that also ends when done is closed.
func wait(t testing.TB, limit time.Duration, what string, done <-chan struct{}, f func() error) {
	t.Helper()
	Eventually(t, limit, what, func() error {
		select {
		case <-done:
			t.Fatalf("%s: the process has ended", what)
		default:
		}
		return f()
	})
}
