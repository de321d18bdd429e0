package actors

import (
	"net/http"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
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
