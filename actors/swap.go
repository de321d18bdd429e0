package actors

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

// Messages of a swap.
type (
	// startSwap begins a coordinator's one swap.
	startSwap struct {
		msg   *messages.SwapIndexes
		key   *heldKey
		reply func(*messages.TaskAccepted)
	}
	// standing says that a sequencer stands still at the swap's place in its
	// order, and what the index is there.
	standing struct {
		handle  *indexHandle
		uid     string
		created bool
		deleted bool
		lsn     int64 // of its newest entry
	}
	// goOn lets a sequencer that stands still go on, with what renames its index.
	goOn struct {
		coordinator *actor.PID
		renamed     *entry // gives the index its new uid; nil when nothing was committed
		dropped     bool   // entries were taken back: the store says what is left
	}
	// swapCommitted is the end of the commit.
	swapCommitted struct {
		task    *store.Task
		entries []*entry
		err     error
	}
)

// IgnoreDeadLetterLogging says that the message may outlive its coordinator.
func (*standing) IgnoreDeadLetterLogging() {}

// swapCoordinator gives several indexes other uids at one place in the orders of
// all of them: it lets their sequencers stand still, one after the other by
// internal id so that two swaps cannot wait for each other, commits, and lets
// them go on. It lives for one swap and is never restarted.
type swapCoordinator struct {
	c      *Cluster
	self   *actor.PID
	reply  func(*messages.TaskAccepted)
	key    *heldKey
	timer  *time.Timer
	unlink func() bool

	swaps    []api.Swap
	metadata *string
	handles  map[string]*indexHandle // by uid: those that exist
	order    []*indexHandle          // ascending by id
	asked    *write                  // waits in the queue of order[stood]
	stood    int
	moves    []uidMove // taken in the registry, not committed yet
	attempts int
	late     bool
	settling bool // the commit is under way
	answered bool
}

func (s *swapCoordinator) Receive(ctx actor.Context) {
	s.self = ctx.Self()
	s.c.guard("swap coordinator", func() { s.receive(ctx) }, func(any) {
		s.answer(&messages.TaskAccepted{Err: api.Internal("the swap was interrupted; whether it was taken is unknown")})
	})
}

func (s *swapCoordinator) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *startSwap:
		s.reply, s.swaps, s.metadata, s.key = m.reply, m.msg.Swaps, m.msg.CustomMetadata, m.key
		self := s.self
		s.timer = time.AfterFunc(s.c.opts.WriteTimeout, func() { s.c.tell(self, &writeDeadline{}) })
		s.unlink = context.AfterFunc(s.c.ctx, func() { s.c.tell(self, &writeDeadline{}) })
		s.begin()
	case *standing:
		s.onStanding(m)
	case *unsequenced:
		s.asked = nil
		s.end(&messages.TaskAccepted{Err: m.err})
	case *swapCommitted:
		s.onCommitted(m)
	case *writeDeadline:
		s.onDeadline()
	case *actor.Stopped:
		if s.reply == nil {
			return // stopped before it began
		}
		defer s.c.keys.release(s.key)
		s.timer.Stop()
		s.unlink()
		if !s.settling { // else its sequencers find out from the store
			s.release()
		}
		s.leave()
		s.answer(&messages.TaskAccepted{Err: api.Internal("Miroir is stopping; whether the swap was taken is unknown")})
	}
	if s.answered && !s.settling && s.asked == nil {
		ctx.Stop(s.self)
	}
}

func (s *swapCoordinator) answer(a *messages.TaskAccepted) {
	if !s.answered {
		s.answered = true
		s.reply(a)
	}
}

// end lets the sequencers go on as they are, and answers.
func (s *swapCoordinator) end(a *messages.TaskAccepted) {
	s.release()
	s.answer(a)
}

// begin finds the indexes and asks the first sequencer to stand still.
func (s *swapCoordinator) begin() {
	s.leave()
	var uids []string
	for _, sw := range s.swaps {
		uids = append(uids, sw.Indexes[0])
		if !sw.Rename { // else it is looked at when the names are taken
			uids = append(uids, sw.Indexes[1])
		}
	}
	s.handles, s.stood = s.c.registry.resolveAll(uids), 0
	s.order = slices.SortedFunc(maps.Values(s.handles), func(a, b *indexHandle) int { return strings.Compare(a.id, b.id) })
	s.order = slices.Compact(s.order) // a name that moves may stand beside the old one
	s.next()
}

// next asks the next sequencer, or commits when all stand still.
func (s *swapCoordinator) next() {
	if s.stood == len(s.order) {
		s.commit()
		return
	}
	s.asked = &write{coordinator: s.self, handle: s.order[s.stood], swap: true}
	s.c.tell(s.c.root, &toSequencer{handle: s.asked.handle, msg: s.asked})
}

func (s *swapCoordinator) onStanding(m *standing) {
	if s.asked == nil || s.asked.handle != m.handle {
		return
	}
	s.asked = nil
	s.stood++
	if s.answered {
		s.release()
		return
	}
	switch {
	case m.deleted || m.created && !s.means(m.handle, m.uid):
		// Another write came before and moved the name.
		s.retry()
		return
	case !m.created:
		for uid, h := range s.handles {
			if h == m.handle {
				delete(s.handles, uid)
				s.c.registry.leave(uid, h)
			}
		}
	}
	s.next()
}

// means reports whether, of the swap's uids, an index has this one and no other. While
// an index is being renamed both its names lead to it.
func (s *swapCoordinator) means(h *indexHandle, uid string) bool {
	for name, other := range s.handles {
		if (other == h) != (name == uid) {
			return false
		}
	}
	return true
}

// retry begins anew with what the uids mean now.
func (s *swapCoordinator) retry() {
	s.release()
	if s.attempts++; s.attempts > maxResolves {
		s.answer(&messages.TaskAccepted{Err: api.Internal("the indexes change too fast; the swap was not taken")})
		return
	}
	s.begin()
}

// commit takes the names and makes the task durable. A swap that cannot be
// carried out is a task that fails.
func (s *swapCoordinator) commit() {
	fail := api.CheckSwaps(s.swaps, func(uid string) bool { return s.handles[uid] != nil })
	if fail == nil {
		for _, sw := range s.swaps {
			a, b := sw.Indexes[0], sw.Indexes[1]
			s.moves = append(s.moves, uidMove{handle: s.handles[a], from: a, to: b})
			if !sw.Rename {
				s.moves = append(s.moves, uidMove{handle: s.handles[b], from: b, to: a})
			}
		}
		if !s.c.registry.claim(s.moves) {
			s.moves = nil
			if fail = api.CheckSwaps(s.swaps, func(uid string) bool { return s.handles[uid] != nil || s.c.registry.taken(uid) }); fail == nil {
				s.retry() // it is free again
				return
			}
		}
	}
	t := &store.Task{
		UID: -1, Type: api.IndexSwap, Status: api.Enqueued, CustomMetadata: s.metadata, EnqueuedAt: time.Now().UTC(), Key: s.key.row(),
		Details: mustJSON(&api.Details{Swaps: api.Some(s.swaps)}),
	}
	b := &store.Batch{Tasks: []*store.Task{t}}
	res := &swapCommitted{task: t, err: store.ErrUnavailable}
	if fail != nil {
		t.Error = mustJSON(fail)
	}
	for _, m := range s.moves {
		e := renameEntry(m.handle, m.to)
		e.row.Task = t
		b.Entries = append(b.Entries, e.row)
		res.entries = append(res.entries, e)
	}
	s.settling = true
	c, self := s.c, s.self
	c.spawn("commit of a swap", func() {
		defer func() { c.tell(self, res) }()
		res.err = c.commitInOrder(b)
	}, nil)
}

// onCommitted tells the task keeper, and lets the sequencers go on under their
// new names.
func (s *swapCoordinator) onCommitted(m *swapCommitted) {
	s.settling = false
	if m.err != nil {
		s.c.registry.unclaim(s.moves)
		s.moves = nil
		s.c.log.WithError(m.err).Error("the store cannot write")
		s.end(&messages.TaskAccepted{Err: storeUnavailable(m.err)})
		return
	}
	s.c.registry.moved(s.moves)
	s.c.tell(s.c.keeper, &track{task: m.task, entries: m.entries})
	for i, mv := range s.moves {
		s.c.tell(mv.handle.pid.Load(), &goOn{coordinator: s.self, renamed: m.entries[i]})
	}
	if len(s.moves) > 0 {
		s.stood = 0
	}
	s.end(&messages.TaskAccepted{Task: summary(m.task)})
}

// release lets the sequencers that stand still go on as before.
func (s *swapCoordinator) release() {
	for _, h := range s.order[:s.stood] {
		s.c.tell(h.pid.Load(), &goOn{coordinator: s.self})
	}
	s.stood = 0
}

// leave tells the registry that the swap needs its indexes no longer.
func (s *swapCoordinator) leave() {
	for uid, h := range s.handles {
		s.c.registry.leave(uid, h)
	}
	s.handles = nil
}

// onDeadline gives up waiting for a place. What is being committed is waited for.
func (s *swapCoordinator) onDeadline() {
	if s.answered || s.settling {
		return
	}
	if s.asked != nil && !s.late {
		s.late = true
		s.c.tell(s.c.root, &toSequencerIfRunning{s.asked.handle.id, &withdraw{s.asked}})
		self := s.self
		s.timer = time.AfterFunc(withdrawWait, func() { s.c.tell(self, &writeDeadline{}) })
		return
	}
	s.asked = nil
	s.end(&messages.TaskAccepted{Err: api.NewError("miroir_overloaded",
		"The swap waited too long for earlier writes of its indexes. Nothing was changed; send it again.")})
}
