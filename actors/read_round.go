package actors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/topology"
)

// maxScatters is how many scatters of a round are asked at a time: more would
// fill the queues of the nodes.
const maxScatters = 8

// readPart is one scatter of the round under way.
type readPart struct {
	scatter
	missing topology.ShardSet
	open    int // its legs that are not settled
	alone   bool
	version *nodeVersion
	lastErr error // of a leg that failed
}

// readLeg is a leg under way.
type readLeg struct {
	topology.Leg
	part    int
	attempt int
	body    []byte
	done    bool
	cancel  context.CancelFunc // of the call
}

// begin starts a round.
func (r *readCoordinator) begin(ctx actor.Context, job readJob) {
	r.partsBefore, r.legsBefore = r.parts, r.legs
	scatters := job.scatters()
	r.job, r.parts, r.legs, r.begun = job, make([]readPart, len(scatters)), nil, 0
	for i, s := range scatters {
		r.parts[i].scatter = s
		r.parts[i].missing = topology.NewShardSet(s.index().table.Shards())
	}
	r.conclude(ctx)
}

// proceed asks as many further scatters of the round as may be asked now, and
// reports whether anything is still open.
func (r *readCoordinator) proceed(ctx actor.Context) bool {
	busy := 0
	for i := range r.parts[:r.begun] {
		if r.parts[i].open > 0 {
			busy++
		}
	}
	for ; r.begun < len(r.parts) && busy < maxScatters && !r.answered; r.begun++ {
		r.ask(ctx, r.begun)
		if r.parts[r.begun].open > 0 {
			busy++
		}
	}
	return busy > 0
}

// ask asks everything that a scatter asks.
func (r *readCoordinator) ask(ctx actor.Context, part int) {
	p := &r.parts[part]
	cover := r.cover(p.scatter)
	p.missing.AddAll(cover.Missing)
	p.alone = len(cover.Legs) == 1
	r.mixed = r.mixed || !r.c.views.load().agree(p.index().row.ID, cover.Legs)
	for _, leg := range cover.Legs {
		r.send(ctx, part, leg)
	}
}

// cover finds the legs of a scatter: those that the round before asked for the
// same shards, so that all rounds speak of the same copies, else new ones
// among the nodes that have not failed this read.
func (r *readCoordinator) cover(s scatter) topology.Cover {
	iv, need := s.index(), s.need()
	for i := range r.partsBefore {
		if p := &r.partsBefore[i]; p.index() == iv && p.need().Equal(need) {
			again := topology.Cover{Missing: p.missing}
			for _, l := range r.legsBefore {
				if l.part == i && l.body != nil {
					again.Legs = append(again.Legs, l.Leg)
				}
			}
			if r.standing(again.Legs) {
				return again
			}
			break
		}
	}
	if r.failed == nil {
		return r.c.cover(iv, need, r.group)
	}
	out, missing := r.c.recover(iv, need, r.failed, r.group)
	return topology.Cover{Legs: out, Missing: missing}
}

// standing reports whether none of the nodes has failed this read.
func (r *readCoordinator) standing(legs []topology.Leg) bool {
	return r.failed == nil || !slices.ContainsFunc(legs, func(l topology.Leg) bool { return r.failed[l.Node] })
}

// send asks one node for one leg.
func (r *readCoordinator) send(ctx actor.Context, part int, leg topology.Leg) {
	req, err := r.parts[part].request(leg, r.parts[part].alone)
	if err != nil {
		r.finish(ctx, &messages.Answer{Err: api.Internal(err.Error())})
		return
	}
	l := &readLeg{Leg: leg, part: part, attempt: r.calls}
	r.legs = append(r.legs, l)
	r.parts[part].open++
	l.cancel = r.call(ctx, leg.Node, l.attempt, req)
}

// settle ends a leg, and the timer of its call.
func (r *readCoordinator) settle(l *readLeg) {
	l.done = true
	l.cancel()
	r.parts[l.part].open--
}

// openLeg finds the leg that a reply is for; nil when it is settled.
func (r *readCoordinator) openLeg(attempt int) *readLeg {
	i := slices.IndexFunc(r.legs, func(l *readLeg) bool { return l.attempt == attempt })
	if i < 0 || r.legs[i].done {
		return nil
	}
	return r.legs[i]
}

// fallback asks other owners for the shards of a failed leg: in the same group
// first, then in the others.
func (r *readCoordinator) fallback(ctx actor.Context, l *readLeg, err error) {
	r.c.metrics.legs.WithLabelValues(r.c.nodes[l.Node].node.ID, "failed").Inc()
	r.settle(l)
	p := &r.parts[l.part]
	r.lastErr, p.lastErr = err, err
	if r.failed == nil {
		r.failed = make([]bool, len(r.c.nodes))
	}
	r.failed[l.Node] = true
	legs, missing := r.c.recover(p.index(), l.Shards, r.failed, p.index().table.Snapshot().GroupOf(l.Node))
	p.missing.AddAll(missing)
	r.legs = slices.DeleteFunc(r.legs, func(o *readLeg) bool { return o == l })
	if p.alone && len(legs) > 1 {
		p.alone = false
	}
	for _, leg := range legs {
		r.c.metrics.fallbacks.Inc()
		r.send(ctx, l.part, leg)
	}
}

// conclude goes on: to scatters that wait or, when nothing is open, to the
// answer or the next round.
func (r *readCoordinator) conclude(ctx actor.Context) {
	if r.answered || r.replay || r.proceed(ctx) || r.answered {
		return
	}
	in, some := r.gather()
	if gone := r.indexGone(in); gone != nil {
		r.finish(ctx, &messages.Answer{Err: gone})
		return
	}
	if r.short(ctx, some) {
		return
	}
	out, err := r.job.join(in)
	switch {
	case err != nil:
		r.finish(ctx, &messages.Answer{Err: api.Internal(err.Error())})
	case out.refused != nil:
		r.finish(ctx, &messages.Answer{Err: out.refused})
	case out.next != nil && r.late:
		r.finish(ctx, &messages.Answer{Err: r.c.unavailable(out.next.scatters()[0].need(), r.lastErr)})
	case out.next != nil:
		r.begin(ctx, out.next)
	default:
		r.succeed(ctx, out.body)
	}
}

// gather sorts the answers of the round by scatter; some says whether there is
// any.
func (r *readCoordinator) gather() (in []gathered, some bool) {
	in = make([]gathered, len(r.parts))
	for i := range r.parts {
		p := &r.parts[i]
		in[i] = gathered{alone: p.alone, version: p.version}
		if len(r.parts) == 1 {
			in[i].bodies = make([][]byte, 0, len(r.legs))
			in[i].nodes = make([]topology.NodeIndex, 0, len(r.legs))
		}
		r.noteMissing(p.missing)
	}
	for _, l := range r.legs {
		if l.body != nil {
			some = true
			in[l.part].bodies = append(in[l.part].bodies, l.body)
			in[l.part].nodes = append(in[l.part].nodes, l.Node)
			in[l.part].legs = append(in[l.part].legs, l.Leg)
		}
	}
	return in, some
}

// noteMissing remembers over all rounds which shards the answer lacks. Indexes
// may have different numbers of shards.
func (r *readCoordinator) noteMissing(missing topology.ShardSet) {
	if !missing.Empty() {
		r.lacking = r.lacking.Or(missing)
	}
}

// short answers when too little of the index could be read, and reports that.
func (r *readCoordinator) short(ctx actor.Context, some bool) bool {
	if r.lacking.Empty() {
		return false
	}
	policy := r.m.onMissing
	if policy == "" {
		policy = r.c.opts.UnavailableShards
	}
	if some && policy != "error" {
		return false
	}
	r.finish(ctx, &messages.Answer{Err: r.c.unavailable(r.lacking, r.lastErr)})
	return true
}

// indexGone is the error about an index that is being deleted: no node has
// answered for it, and one says that it is not there.
func (r *readCoordinator) indexGone(in []gathered) *api.Error {
	for i := range r.parts {
		iv, na := r.parts[i].index(), (*nodeAnswerError)(nil)
		if !errors.As(r.parts[i].lastErr, &na) || errorCode(na.Body) != "index_not_found" || r.answersFor(iv, in) {
			continue
		}
		if j, ok := r.job.(losing); ok {
			return j.lost(iv)
		}
		return api.IndexNotFound(iv.row.UID)
	}
	return nil
}

// answersFor reports whether any node has answered for an index.
func (r *readCoordinator) answersFor(iv *indexView, in []gathered) bool {
	for i := range r.parts {
		if r.parts[i].index() == iv && len(in[i].bodies) > 0 {
			return true
		}
	}
	return false
}

func (r *readCoordinator) succeed(ctx actor.Context, body []byte) {
	d := degradation{settings: r.mixed}
	d.add(nil, r.lacking)
	if d.any {
		r.c.metrics.degraded.Inc()
	}
	r.finish(ctx, &messages.Answer{Status: http.StatusOK, Body: body, Degraded: d.header()})
}

func (c *Cluster) unavailable(missing topology.ShardSet, cause error) *api.Error {
	text := fmt.Sprintf("No node that holds an up-to-date copy answers for shards %s.", missing.AppendList(nil, degradedShards))
	if cause != nil {
		text += " The last one: " + string(scrub(c.registry.clientText([]byte(cause.Error())))) + "."
	}
	return api.NewError("miroir_shard_unavailable", text)
}
