package http

import (
	"context"
	"sync"
	"time"
)

// budget bounds the bytes of all bodies that are being worked on. Who finds too
// little left waits for a while, in the order of coming.
type budget struct {
	limit int64

	mu      sync.Mutex
	used    int64
	waiting []*claim
}

type claim struct {
	n       int64
	granted chan struct{}
}

// take waits until n bytes are left, at most for patience. It reports whether it
// took them.
func (b *budget) take(ctx context.Context, n int64, patience time.Duration) bool {
	c := b.ask(n)
	if c == nil {
		return n <= b.limit
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.granted:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return !b.withdraw(c)
}

// ask takes n bytes, or queues for them. nil: they were taken, or are more than
// there can ever be.
func (b *budget) ask(n int64) *claim {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.limit {
		return nil
	}
	if len(b.waiting) == 0 && b.used+n <= b.limit {
		b.used += n
		return nil
	}
	c := &claim{n: n, granted: make(chan struct{})}
	b.waiting = append(b.waiting, c)
	return c
}

// withdraw reports false when c has been granted in the meantime.
func (b *budget) withdraw(c *claim) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.waiting {
		if other == c {
			b.waiting = append(b.waiting[:i:i], b.waiting[i+1:]...)
			b.grant() // it may have stood in the way of smaller ones
			return true
		}
	}
	return false
}

// give brings n bytes back.
func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	b.grant()
}

func (b *budget) grant() {
	for len(b.waiting) > 0 && b.used+b.waiting[0].n <= b.limit {
		b.used += b.waiting[0].n
		close(b.waiting[0].granted)
		b.waiting = b.waiting[1:]
	}
}

// Load is how many bytes are taken.
func (b *budget) Load() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}
