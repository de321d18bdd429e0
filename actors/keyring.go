package actors

import (
	"crypto/sha256"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

// keyLife is how long the same key gives the same task.
const keyLife = 24 * time.Hour

// keyring holds the idempotency keys of the writes under way. What became of
// earlier ones is in the store, where a key is written together with its task; so
// a key is held until the store knows it, or the write can never happen.
type keyring struct {
	mu   sync.Mutex
	held map[string]*heldKey
}

// heldKey is the key of one write under way.
type heldKey struct {
	name    string // in the store
	request string
	fresh   bool                   // the store does not know it
	answer  *messages.TaskAccepted // nil until the write is answered
	waiting []*keyWaiter
}

// keyWaiter is a request that came while the first with its key was under way. It
// gets the first's answer, or starts over once the key is free.
type keyWaiter struct {
	request  string
	patience time.Duration
	reply    func(*messages.TaskAccepted) // the first call of reply and again counts
	again    func()
	timer    *time.Timer
}

// Outcomes of a write with a key, as metrics name them.
const (
	keyFirst    = "first"    // nobody had sent it
	keyRepeated = "repeated" // it has its task already
	keyWaited   = "waited"   // the first is under way
	keyReused   = "reused"   // for another request: refused
	keyFailed   = "failed"   // the store cannot be read
)

// keyName keeps the keys of different owners apart, whatever is in them.
func keyName(i *messages.Idempotency) string {
	sum := sha256.Sum256([]byte(strconv.Itoa(len(i.Owner)) + ":" + i.Owner + i.Key))
	return string(sum[:])
}

func keyWasReused() *api.Error {
	return api.NewError("miroir_idempotency_key_reused",
		"The Idempotency-Key was sent with another request before. Nothing was written; send this one with a key of its own.")
}

// row is what the store shall remember with the task; nothing without a key.
func (h *heldKey) row() *store.RequestKey {
	if h == nil {
		return nil
	}
	return &store.RequestKey{Name: h.name, Request: h.request, Expires: time.Now().Add(keyLife)}
}

// once carries out a write with a key, unless it was or is being carried out: then
// reply gets that task.
func (c *Cluster) once(i *messages.Idempotency, msg any, reply func(*messages.TaskAccepted)) {
	if c.ctx.Err() != nil {
		c.discardPayload(msg)
		reply(&messages.TaskAccepted{Err: stopping()})
		return
	}
	h, outcome, a := c.keys.enter(keyName(i), c.newKeyWaiter(i, msg, reply))
	switch {
	case h != nil:
		c.first(h, msg, reply)
		return
	case a != nil:
		c.discardPayload(msg)
		reply(a)
	}
	c.metrics.keys.WithLabelValues(outcome).Inc()
}

func (c *Cluster) newKeyWaiter(i *messages.Idempotency, msg any, reply func(*messages.TaskAccepted)) *keyWaiter {
	var one sync.Once
	w := &keyWaiter{request: i.Request, patience: c.opts.WriteTimeout}
	w.reply = func(a *messages.TaskAccepted) {
		one.Do(func() {
			c.discardPayload(msg)
			reply(a)
		})
	}
	w.again = func() { one.Do(func() { c.once(i, msg, reply) }) }
	return w
}

// first carries out a write whose key nobody else holds, if the store does not know it.
func (c *Cluster) first(h *heldKey, msg any, reply func(*messages.TaskAccepted)) {
	answer := func(a *messages.TaskAccepted) {
		c.keys.answered(h, a)
		reply(a)
	}
	end := func(outcome string, a *messages.TaskAccepted) {
		c.metrics.keys.WithLabelValues(outcome).Inc()
		c.discardPayload(msg)
		answer(a)
		c.keys.release(h)
	}
	c.spawn("idempotency key", func() {
		known, err := c.store.RequestKey(c.ctx, h.name)
		switch {
		case errors.Is(err, store.ErrNotFound):
			c.metrics.keys.WithLabelValues(keyFirst).Inc()
			c.keys.confirm(h)
			c.begin(msg, h, answer)
		case err != nil:
			end(keyFailed, &messages.TaskAccepted{Err: storeUnavailable(err)})
		case known.Request != h.request:
			end(keyReused, &messages.TaskAccepted{Err: keyWasReused()})
		default:
			end(keyRepeated, &messages.TaskAccepted{Task: summary(known.Task)})
		}
	}, func(err error) { end(keyFailed, &messages.TaskAccepted{Err: api.Internal(err.Error())}) })
}

// enter holds a key that nobody holds (h), or finds the answer for w (a), or lets w
// wait (neither).
func (k *keyring) enter(name string, w *keyWaiter) (h *heldKey, outcome string, a *messages.TaskAccepted) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h = k.held[name]
	if h == nil {
		if k.held == nil {
			k.held = map[string]*heldKey{}
		}
		h = &heldKey{name: name, request: w.request}
		k.held[name] = h
		return h, keyFirst, nil
	}
	switch same := w.request == h.request; {
	case h.fresh && !same:
		return nil, keyReused, &messages.TaskAccepted{Err: keyWasReused()}
	case same && h.answer != nil && h.answer.Task != nil:
		return nil, keyRepeated, &messages.TaskAccepted{Task: h.answer.Task}
	}
	w.timer = time.AfterFunc(w.patience, func() {
		w.reply(&messages.TaskAccepted{Err: api.NewError("miroir_no_quorum",
			"The first request with this Idempotency-Key is still under way; whether it will be carried out is unknown. Send it again.")})
	})
	h.waiting = append(h.waiting, w)
	return nil, keyWaited, nil
}

// confirm says that the store does not know the key.
func (k *keyring) confirm(h *heldKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h.fresh = true
}

// answered gives the answer to those who wait with the same request. The key is
// held on: what becomes of the write may be unknown yet.
func (k *keyring) answered(h *heldKey, a *messages.TaskAccepted) {
	k.mu.Lock()
	h.answer = a
	var told, rest []*keyWaiter
	for _, w := range h.waiting {
		if w.request == h.request {
			told = append(told, w)
		} else {
			rest = append(rest, w)
		}
	}
	h.waiting = rest
	k.mu.Unlock()
	for _, w := range told {
		w.timer.Stop()
		w.reply(a)
	}
}

// release gives the key back. Who waits still starts over. No key is fine.
func (k *keyring) release(h *heldKey) {
	if h == nil {
		return
	}
	k.mu.Lock()
	if k.held[h.name] != h {
		k.mu.Unlock()
		return
	}
	delete(k.held, h.name)
	waiting := h.waiting
	h.waiting = nil
	k.mu.Unlock()
	for _, w := range waiting {
		w.timer.Stop()
		w.again()
	}
}
