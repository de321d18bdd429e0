package store

import (
	"sync"
	"sync/atomic"
	"time"
)

// job is one batch on its way.
type job struct {
	batch *encoded
	lazy  bool
	done  chan error // room for one; nil when lazy
	state atomic.Int32
}

const (
	jobWaiting int32 = iota
	jobTaken
	jobWithdrawn
)

// maxGroup bounds how long one transaction can keep the others waiting.
const maxGroup = 512

// queue holds the batches in the order in which they were handed in.
type queue struct {
	mu     sync.Mutex
	jobs   []*job
	urgent int       // how many of them are not lazy
	since  time.Time // when the first lazy one of them came
	closed bool
	target int           // nobody is woken for fewer jobs than this
	wake   chan struct{} // room for one
}

// add reports whether the queue still takes jobs.
func (q *queue) add(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	if j.lazy {
		if len(q.jobs) == q.urgent {
			q.since = time.Now()
		}
	} else {
		q.urgent++
	}
	q.jobs = append(q.jobs, j)
	if len(q.jobs) >= q.target {
		q.signal()
	}
	return true
}

// expect sets how many jobs are worth waking the committer for, and returns
// how many there are.
func (q *queue) expect(n int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.target = n
	return len(q.jobs)
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// look says how many jobs wait, and how long they may still wait: 0 when they
// are due, negative when there is none.
func (q *queue) look() (waiting int, wait time.Duration, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case len(q.jobs) == 0:
		return 0, -1, q.closed
	case q.urgent > 0 || q.closed:
		return len(q.jobs), 0, q.closed
	}
	return len(q.jobs), max(0, lazyDelay-time.Since(q.since)), q.closed
}

// take removes the jobs of the next group; those that were withdrawn meanwhile
// are left out.
func (q *queue) take() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.jobs), maxGroup)
	group := make([]*job, 0, n)
	for _, j := range q.jobs[:n] {
		if !j.lazy {
			q.urgent--
		}
		if j.state.CompareAndSwap(jobWaiting, jobTaken) {
			group = append(group, j)
		}
	}
	rest := copy(q.jobs, q.jobs[n:])
	clear(q.jobs[rest:])
	q.jobs = q.jobs[:rest]
	return group
}

// takeUrgent removes all jobs that are not lazy, to be refused.
func (q *queue) takeUrgent() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*job
	rest := q.jobs[:0]
	for _, j := range q.jobs {
		switch {
		case j.lazy:
			rest = append(rest, j)
		case j.state.CompareAndSwap(jobWaiting, jobTaken):
			out = append(out, j)
		}
	}
	clear(q.jobs[len(rest):])
	q.jobs, q.urgent = rest, 0
	return out
}

// giveBack puts lazy jobs at the front again, in their order.
func (q *queue) giveBack(jobs []*job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range jobs {
		j.state.Store(jobWaiting)
	}
	if len(q.jobs) == q.urgent {
		q.since = time.Now()
	}
	q.jobs = append(jobs, q.jobs...)
}
