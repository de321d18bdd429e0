package webhooks

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
)

// tasksPerCall bounds how many tasks one call tells of.
const tasksPerCall = 1000

// queue is what one webhook was not told of yet. There is one, with a goroutine
// that empties it, as long as there is something in it.
type queue struct{ uids []int64 }

// tell queues tasks that have ended for every webhook.
func (h *Hooks) tell(ended []int64) {
	all := h.All()
	if len(all) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return
	}
	for id := range all {
		q := h.queues[id]
		if q == nil {
			q = &queue{}
			h.queues[id] = q
			h.running.Add(1)
			go h.empty(id, q)
		}
		room := min(max(h.opts.Queue-len(q.uids), 0), len(ended))
		q.uids = append(q.uids, ended[:room]...)
		if dropped := len(ended) - room; dropped > 0 {
			h.told.WithLabelValues("dropped").Add(float64(dropped))
			h.fails(id, fmt.Errorf("it is too slow: %d ended tasks are not told of", dropped))
		}
	}
}

// fails logs why a webhook does not hear of tasks, once until it does again. The
// caller holds the lock.
func (h *Hooks) fails(id string, why error) {
	if h.failing[id] {
		return
	}
	h.failing[id] = true
	h.log.WithError(why).WithField("webhook", id).Warn("a webhook does not hear of ended tasks")
}

// empty calls a webhook until nothing waits for it.
func (h *Hooks) empty(id string, q *queue) {
	defer h.running.Done()
	for {
		h.mu.Lock()
		n := min(len(q.uids), tasksPerCall)
		uids := q.uids[:n:n]
		q.uids = q.uids[n:]
		if n == 0 {
			delete(h.queues, id)
			h.mu.Unlock()
			return
		}
		h.mu.Unlock()
		w := h.All()[id]
		if w == nil { // gone in the meantime
			continue
		}
		err := h.call(w, uids)
		outcome := "told"
		h.mu.Lock()
		if err != nil {
			outcome = "failed"
			h.fails(id, err)
		} else if len(q.uids) < h.opts.Queue {
			delete(h.failing, id)
		}
		h.mu.Unlock()
		h.told.WithLabelValues(outcome).Add(float64(n))
	}
}

// call tells a webhook of tasks, one a line. Those that are gone from the history
// are left out.
func (h *Hooks) call(w *api.Webhook, uids []int64) (err error) {
	defer func() {
		if reason := recover(); reason != nil { // nobody is above it
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	body, err := h.body(uids)
	if err != nil || body.Len() == 0 {
		return err
	}
	req, err := http.NewRequestWithContext(h.ctx, http.MethodPost, w.URL, body)
	if err != nil {
		return withoutURL(err)
	}
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("Content-Type", api.ContentTypeNDJSON)
	for name, value := range w.Headers {
		req.Header.Set(name, value)
		if strings.EqualFold(name, "host") {
			req.Host = value
		}
	}
	res, err := h.client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	if res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("it answers %d", res.StatusCode)
	}
	return nil
}

// body is the packed lines of tasks; empty for none.
func (h *Hooks) body(uids []int64) (*bytes.Buffer, error) {
	ctx, cancel := context.WithTimeout(h.ctx, h.opts.Timeout)
	defer cancel()
	var packed bytes.Buffer
	page, err := h.opts.Store.Tasks(ctx, &store.TaskQuery{UIDs: uids, Limit: len(uids), Reverse: true})
	if err != nil || len(page.Tasks) == 0 {
		return &packed, err
	}
	z := gzip.NewWriter(&packed)
	for _, t := range page.Tasks {
		line, err := h.opts.Encode(t)
		if err != nil {
			return nil, fmt.Errorf("encode task %d: %w", t.UID, err)
		}
		if _, err := z.Write(append(line, '\n')); err != nil {
			return nil, err
		}
	}
	return &packed, z.Close()
}

// withoutURL takes the address off an error: there may be a secret in it.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// stopWait is how long Close waits for webhooks.
const stopWait = 5 * time.Second

// Close ends the calls. Webhooks are told of what waits for them for up to 5 s
// before, or until ctx ends.
func (h *Hooks) Close(ctx context.Context) {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	done := make(chan struct{})
	go func() {
		h.running.Wait()
		close(done)
	}()
	late := time.NewTimer(stopWait)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	case <-ctx.Done():
	}
	h.cancel()
	<-done
	h.client.CloseIdleConnections()
}
