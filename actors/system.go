package actors

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/sirupsen/logrus"
	lslog "github.com/sirupsen/logrus/hooks/slog"
)

// This file is the only one that knows the sharp edges of protoactor-go:
// a nil message makes a mailbox spin for ever, a panicking Receive loses its
// message and its sender, and supervision strategies are remembered by identity.

// newSystem makes an actor system that logs through log. What the library tells at
// info (that it has started, that a message came for an actor that has ended) is of
// interest to nobody but us.
func newSystem(log *logrus.Logger) *actor.ActorSystem {
	return actor.NewActorSystem(
		actor.WithLoggerFactory(func(s *actor.ActorSystem) *slog.Logger {
			return slog.New(quieter{lslog.NewHandler(log, nil)}).With("system", s.ID)
		}),
		actor.WithDeadLetterThrottleInterval(time.Millisecond),
	)
}

// quieter turns what is told at info into debug.
type quieter struct{ slog.Handler }

func lower(level slog.Level) slog.Level {
	if level == slog.LevelInfo {
		return slog.LevelDebug
	}
	return level
}

// Enabled implements slog.Handler.
func (q quieter) Enabled(ctx context.Context, level slog.Level) bool {
	return q.Handler.Enabled(ctx, lower(level))
}

// Handle implements slog.Handler.
func (q quieter) Handle(ctx context.Context, r slog.Record) error { //nolint:gocritic // as the interface has it
	r.Level = lower(r.Level)
	return q.Handler.Handle(ctx, r) //nolint:wrapcheck // the logger's own
}

// WithAttrs implements slog.Handler.
func (q quieter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quieter{q.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (q quieter) WithGroup(name string) slog.Handler { return quieter{q.Handler.WithGroup(name)} }

// tell sends msg to pid. Both must be there: a missing one is a bug of ours.
func (c *Cluster) tell(pid *actor.PID, msg any) {
	if pid == nil || msg == nil {
		c.log.WithField("stack", string(debug.Stack())).Error("BUG: nothing to tell, or nobody to tell it to")
		return
	}
	c.sys.Root.Send(pid, msg)
}

// stopOnFailure ends an actor that panics: for coordinators, which answer
// before they go.
var stopOnFailure = actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })

// restartStrategy restarts a failed child at once and for ever. The delay
// before it takes up its work again is the child's own affair (quarantine), so
// that its mailbox is never suspended and requests get their answer.
type restartStrategy struct{}

func (restartStrategy) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, _ any, _ any) {
	sup.RestartChildren(child)
}

var restartForEver actor.SupervisorStrategy = restartStrategy{}

// quarantine spaces out restarts of one long-lived actor. It lives outside the
// actor's producer and so survives restarts.
type quarantine struct {
	failures int
	last     time.Time
}

const (
	quarantineFirst = 20 * time.Millisecond
	quarantineCap   = 5 * time.Second
	quarantineReset = 30 * time.Second
)

// next is how long to wait after one more failure: doubling, capped, with up to
// half of it taken off at random.
func (q *quarantine) next(now time.Time, random func() float64) time.Duration {
	if now.Sub(q.last) > quarantineReset {
		q.failures = 0
	}
	q.last = now
	d := quarantineCap
	if q.failures < 8 {
		d = min(quarantineFirst<<q.failures, quarantineCap)
	}
	q.failures++
	return d - time.Duration(random()*float64(d)/2)
}

// guard runs receive and, when it panics, logs and counts the panic, lets
// onPanic answer whoever waits, and panics again for the supervisor.
func (c *Cluster) guard(kind string, receive func(), onPanic func(reason any)) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		c.panicked(kind, r)
		onPanic(r)
		panic(r)
	}()
	receive()
}

// panicked logs and counts a panic that was contained.
func (c *Cluster) panicked(kind string, reason any) {
	c.metrics.panics.WithLabelValues(kind).Inc()
	c.log.WithFields(logrus.Fields{"actor": kind, "panic": fmt.Sprint(reason), "stack": string(debug.Stack())}).
		Error("panic contained")
}

// spawn runs f in a goroutine that belongs to the cluster: Stop waits for it,
// and a panic in it is contained and handed to failed, which may be nil.
func (c *Cluster) spawn(kind string, f func(), failed func(err error)) {
	c.background.Add(1)
	go func() {
		defer c.background.Done()
		defer func() {
			if r := recover(); r != nil {
				c.panicked(kind, r)
				if failed != nil {
					failed(fmt.Errorf("panic: %v", r))
				}
			}
		}()
		f()
	}()
}
