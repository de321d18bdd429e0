package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

var errClosed = errors.New("the store is closed")

// committer is the one goroutine that writes to the database. Whatever waits
// when it is free becomes one transaction and shares its fsync.
type committer struct {
	files   files
	journal *journal
	log     Logger
	now     func() time.Time
	metrics *metrics
	dsn     string

	queue   queue
	recheck chan struct{} // room for one: an append failed
	stopped chan struct{}
	sick    atomic.Pointer[error]

	// Only the goroutine touches these.
	writer    *writer // nil after a failure, until a probe opens it again
	last      numbers
	nextProbe time.Time
	group     int           // jobs expected from those that were served together
	ended     time.Time     // when the last group was answered
	took      time.Duration // how long that group took
}

// commit hands in a batch and waits for its outcome.
func (c *committer) commit(ctx context.Context, b *Batch) error {
	if err := c.healthy(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("commit: %w: %w", ErrUnavailable, context.Cause(ctx))
	}
	enc, err := encode(b, c.now(), false)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	j := &job{batch: enc, done: make(chan error, 1)}
	if !c.queue.add(j) {
		return fmt.Errorf("commit: %w: %w", ErrUnavailable, errClosed)
	}
	select {
	case err = <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobWaiting, jobWithdrawn) {
			return fmt.Errorf("commit: %w: %w", ErrUnavailable, context.Cause(ctx))
		}
		err = <-j.done
	}
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (c *committer) commitLazily(b *Batch) {
	enc, err := encode(b, c.now(), true)
	if err != nil {
		c.refuseLazy(err)
		return
	}
	if !c.queue.add(&job{batch: enc, lazy: true}) {
		c.refuseLazy(errClosed)
	}
}

func (c *committer) refuseLazy(err error) {
	c.metrics.refused.Inc()
	c.log.Errorf("store: a lazy batch was not written: %v", err)
}

// healthy is nil while the store can write.
func (c *committer) healthy() error {
	if p := c.sick.Load(); p != nil {
		return *p
	}
	return nil
}

// appendFailed asks for a probe: one payload that does not fit need not mean
// that nothing can be written.
func (c *committer) appendFailed() {
	select {
	case c.recheck <- struct{}{}:
	default:
	}
}

// run serves until the queue is closed and empty.
func (c *committer) run() {
	defer close(c.stopped)
	for {
		waiting, wait, closed := c.queue.look()
		switch {
		case c.healthy() != nil:
			if !c.convalesce(closed) {
				return
			}
		case wait == 0:
			c.gather()
			c.serve(c.queue.take())
		case closed && waiting == 0:
			return
		default:
			c.sleep(wait)
		}
	}
}

// sleep waits for news, at most for d when that is not negative.
func (c *committer) sleep(d time.Duration) {
	var due <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-c.queue.wake:
	case <-due:
	case <-c.recheck:
		if c.healthy() == nil {
			if err := c.probe(); err != nil {
				c.fallSick(err)
			}
		}
	}
}

// gather waits a moment for those who were served together last time: without
// it two halves of the writers would take turns, each waiting out the fsync of
// the other. It never adds more than a quarter to a commit.
func (c *committer) gather() {
	if c.group < 2 || time.Since(c.ended) > c.took {
		return
	}
	patience := time.NewTimer(min(c.took/4, 2*time.Millisecond))
	defer patience.Stop()
	defer c.queue.expect(0)
	for c.queue.expect(c.group) < c.group {
		select {
		case <-c.queue.wake:
		case <-patience.C:
			return
		}
	}
}

// serve commits a group and answers everyone in it.
func (c *committer) serve(jobs []*job) {
	if len(jobs) == 0 {
		return
	}
	start := time.Now()
	outcomes, err := c.commitGroup(jobs)
	c.took = time.Since(start)
	c.metrics.group(len(jobs), c.took, err)
	if err != nil {
		c.fallSick(err)
		var lazy []*job
		for _, j := range jobs {
			if j.lazy {
				lazy = append(lazy, j)
			} else {
				j.done <- c.healthy()
			}
		}
		c.queue.giveBack(lazy)
		return
	}
	for i, j := range jobs {
		switch {
		case !j.lazy:
			j.done <- outcomes[i]
		case outcomes[i] != nil:
			c.refuseLazy(outcomes[i])
		}
	}
	c.journal.sweep()
	c.ended = time.Now()
	c.group = len(jobs) + c.queue.expect(0)
}

// commitGroup writes the jobs in one transaction. It returns what became of
// each, or an error when none of them was written.
func (c *committer) commitGroup(jobs []*job) (outcomes []error, err error) {
	// The payloads reach the disk while the rows are being written.
	synced := make(chan error, 1)
	if c.journal.unsynced() {
		go func() { synced <- c.journal.sync() }()
	} else {
		synced <- nil
	}
	last := c.last
	outcomes, err = c.apply(jobs, &last, len(jobs) > 1)
	if errors.Is(err, errCareful) {
		last = c.last
		if _, err = c.writer.exec(rollbackWrite, nil); err == nil {
			outcomes, err = c.apply(jobs, &last, false)
		}
	}
	if serr := <-synced; serr != nil {
		err = fmt.Errorf("sync journal: %w", serr)
	}
	if err == nil {
		err = c.files.transaction(func() error {
			_, err := c.writer.exec(commitWrite, nil)
			return err
		})
	}
	if err != nil {
		c.dropWriter()
		for _, j := range jobs {
			j.unnumber()
		}
		return nil, err
	}
	c.last = last
	for i, j := range jobs {
		if outcomes[i] == nil {
			c.settle(j)
		}
	}
	return outcomes, nil
}

// errCareful says that a group must be written again with savepoints.
var errCareful = errors.New("a job of the group is refused")

// apply runs the rows of all jobs. A job that is refused leaves no trace: that
// needs savepoints, which cost a tenth of a commit and are nearly never used.
// So the bold try goes without and gives up with errCareful.
func (c *committer) apply(jobs []*job, last *numbers, bold bool) ([]error, error) {
	if _, err := c.writer.exec(beginWrite, nil); err != nil {
		return nil, err
	}
	outcomes := make([]error, len(jobs))
	for i, j := range jobs {
		var err error
		if bold {
			if err = c.applyJob(j, last); err != nil && blame(err) != nil {
				for _, j := range jobs[:i+1] {
					j.unnumber()
				}
				return nil, errCareful
			}
		} else {
			outcomes[i], err = c.applyCarefully(j, last)
		}
		if err != nil {
			return nil, err
		}
	}
	return outcomes, c.keepNumbers(jobs, last)
}

// applyCarefully tells a job that is refused (outcome) from a database that
// fails (err).
func (c *committer) applyCarefully(j *job, last *numbers) (outcome, err error) {
	if _, err := c.writer.exec(savepoint, nil); err != nil {
		return nil, err
	}
	before := *last
	if err := c.applyJob(j, last); err != nil {
		if outcome = blame(err); outcome == nil {
			return nil, err
		}
		*last = before
		j.unnumber()
		if _, err := c.writer.exec(rollbackSavepoint, nil); err != nil {
			return nil, err
		}
	}
	_, err = c.writer.exec(releaseSavepoint, nil)
	return outcome, err
}

// blame returns what to answer a job that is at fault itself for err, nil when
// it is not.
func blame(err error) error {
	switch {
	case errors.Is(err, ErrRefused), errors.Is(err, errPayloadLost):
		return err
	case refused(err):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// keepNumbers writes down what the rows alone would not tell after a restart,
// so that no number is ever given twice. For segments that holds even when all
// files are gone: an old ref must not find somebody else's bytes.
func (c *committer) keepNumbers(jobs []*job, last *numbers) error {
	put := func(name string, n int64) error {
		_, err := c.writer.exec(putMeta, args(name, strconv.FormatInt(n, 10)))
		return err
	}
	if last.segment != c.last.segment {
		if err := put("last_segment", int64(last.segment)); err != nil {
			return err
		}
	}
	for _, j := range jobs {
		if j.batch.forgets {
			return errors.Join(put("last_lsn", last.lsn), put("last_task", last.task))
		}
	}
	return nil
}

func (c *committer) settle(j *job) {
	for i := range j.batch.rows {
		if e := j.batch.rows[i].ent; e != nil {
			c.journal.settle(e.lsn, e.refs, e.done)
		}
	}
}

func (c *committer) dropWriter() {
	if c.writer == nil {
		return
	}
	// What state a failed commit leaves is the database's secret; a new
	// connection starts from what is on disk. Closing rolls back.
	if err := c.writer.close(); err != nil {
		c.log.Warnf("store: close database connection after a failure: %v", err)
	}
	c.writer = nil
}

// fallSick makes every commit fail until a probe succeeds. The first probe
// follows at once.
func (c *committer) fallSick(err error) {
	if c.healthy() == nil {
		c.log.Errorf("store: writing fails, writes are refused until it works again: %v", err)
		c.nextProbe = time.Now()
	}
	err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	c.sick.Store(&err)
	c.metrics.healthy.Set(0)
}

// convalesce refuses what waits and probes when it is time. It reports false
// when the store is closed and there is nothing more to try.
func (c *committer) convalesce(closed bool) bool {
	for _, j := range c.queue.takeUrgent() {
		j.done <- c.healthy()
	}
	if wait := time.Until(c.nextProbe); wait > 0 && !closed {
		c.sleep(wait)
		return true
	}
	c.nextProbe = time.Now().Add(probeInterval)
	err := c.probe()
	switch {
	case err == nil:
		c.sick.Store(nil)
		c.metrics.healthy.Set(1)
		c.log.Infof("store: writing works again")
	case closed:
		lost, _, _ := c.queue.look()
		c.log.Errorf("store: closed with %d lazy batches not written: %v", lost, err)
		return false
	default:
		c.fallSick(err)
	}
	return true
}

// probe finds out whether both journal and database can write.
func (c *committer) probe() error {
	if err := c.journal.probe(); err != nil {
		return fmt.Errorf("probe journal: %w", err)
	}
	if c.writer == nil {
		w, err := openWriter(c.dsn)
		if err != nil {
			return err
		}
		c.writer = w
	}
	stamp := strconv.FormatInt(c.now().UnixNano(), 10)
	probe := &job{lazy: true, batch: &encoded{rows: []row{{stmt: putMeta, args: args("probe", stamp)}}}}
	if _, err := c.commitGroup([]*job{probe}); err != nil {
		return fmt.Errorf("probe database: %w", err)
	}
	return nil
}
