package actors

import (
	"net/http"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/topology"
)

// isClientsFault reports whether every node would say the same. A node that
// does not know the index, or our key, speaks of itself.
func isClientsFault(resp *nodeclient.Response) bool {
	if resp.Status < 400 || resp.Status >= 500 {
		return false
	}
	switch errorCode(resp.Body) {
	case "index_not_found", "invalid_api_key", "missing_authorization_header", "too_many_search_requests":
		return false
	}
	return resp.Status != http.StatusRequestTimeout && resp.Status != http.StatusTooManyRequests
}

// yielding is a scatter that can ask a node in another way when that node, for
// reasons of its own, refuses what others take.
type yielding interface {
	// again is what to ask instead; nil when the refusal stands.
	again(leg topology.Leg, resp *nodeclient.Response) *nodeclient.Request
}

// again asks a node that has refused in another way, and reports whether there
// is one.
func (r *readCoordinator) again(ctx actor.Context, l *readLeg, resp *nodeclient.Response) bool {
	y, ok := r.parts[l.part].scatter.(yielding)
	if !ok {
		return false
	}
	req := y.again(l.Leg, resp)
	if req == nil {
		return false
	}
	l.cancel()
	l.attempt = r.calls
	l.cancel = r.call(ctx, l.Node, l.attempt, req)
	return true
}

// refuse ends the read with a node's refusal, in the words one node would use:
// our own request differs from the client's, so that one is asked too.
func (r *readCoordinator) refuse(ctx actor.Context, l *readLeg, m *nodeCalled) {
	r.refusal = m.resp
	judge, req := r.parts[l.part].original(m.node)
	if req == nil {
		r.finish(ctx, r.refused(m.resp))
		return
	}
	r.replay, r.replayed = true, r.calls
	r.call(ctx, judge, r.calls, req)
}

func (r *readCoordinator) onReplayed(ctx actor.Context, m *nodeCalled) {
	if m.err == nil && m.resp.Status >= 400 && m.resp.Status < 500 {
		r.finish(ctx, r.refused(m.resp))
		return
	}
	r.finish(ctx, r.refused(r.refusal))
}

func (r *readCoordinator) refused(resp *nodeclient.Response) *messages.Answer {
	if resp.Status == http.StatusNotFound && len(resp.Body) == 0 {
		return &messages.Answer{Err: api.NewError(api.CodeNotSupported, "The nodes do not know this request: they are too old for it.")}
	}
	return &messages.Answer{Status: resp.Status, Body: r.c.clientSafe(resp.Body)}
}
