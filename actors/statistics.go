package actors

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/topology"
)

// injectedBytes is what our two fields take in a stored document: two strings
// with their quotes, and the number and length that lead each.
const injectedBytes = topology.ShardWidth + topology.SeqWidth + 2*2 + 2*3

// statsRead is one request for statistics.
type statsRead struct {
	c       *Cluster
	options messages.StatsOptions
	only    *indexView // nil for all indexes
	indexes []*indexView
	spec    merge.StatsSpec
	calls   int
}

// statistics answers GetIndexStats and GetStats. Nodes count what they hold, so
// the nodes of a whole group are asked and their sums are divided by its copies;
// where no group is whole, shards are counted (see statistics_shards.go).
func (c *Cluster) statistics(ctx context.Context, msg any) *messages.Answer {
	r := &statsRead{c: c, indexes: c.registry.list(), spec: merge.StatsSpec{Names: map[string]string{}, Injected: injectedBytes}}
	switch m := msg.(type) {
	case *messages.GetIndexStats:
		iv, ok := c.registry.lookup(m.IndexUID)
		if !ok {
			return &messages.Answer{Err: api.IndexNotFound(m.IndexUID)}
		}
		r.only, r.indexes, r.options = iv, []*indexView{iv}, m.StatsOptions
	case *messages.GetStats:
		r.options = m.StatsOptions
		for _, iv := range r.indexes {
			if m.Allowed == nil || m.Allowed(iv.row.UID) {
				r.spec.Names[iv.row.ID] = iv.row.UID
			}
		}
	}
	r.spec.HumanSizes = r.options.HumanSizes
	ctx, cancel := context.WithTimeout(ctx, c.opts.ReadTimeout)
	defer cancel()
	a := r.ofGroup(ctx)
	if a == nil {
		a = r.ofShards(ctx)
	}
	a.Nodes = r.calls
	return a
}

// path is where a node has its statistics of one index, or of all.
func (r *statsRead) path(iv *indexView) string {
	path := "/stats"
	if iv != nil {
		path = "/indexes/" + iv.row.ID + path
	}
	if r.options.InternalSizes {
		path += "?showInternalDatabaseSizes=true"
	}
	return path
}

// ofGroup asks a whole group; nil when there is none.
func (r *statsRead) ofGroup(ctx context.Context) *messages.Answer {
	c := r.c
	start, groups := c.nextGroup(), c.newest.Groups()
	for i := range groups {
		nodes, copies := c.countingNodes((start+i)%groups, r.indexes)
		if nodes == nil {
			continue
		}
		reqs := make([]statsCall, len(nodes))
		for i, n := range nodes {
			reqs[i] = statsCall{n, &nodeclient.Request{Method: http.MethodGet, Path: r.path(r.only)}}
		}
		bodies, failed := r.askAll(ctx, reqs)
		if a := refusedStats(c, failed); a != nil {
			return a
		}
		if failed != nil {
			continue
		}
		r.spec.Copies = int64(copies)
		if r.only != nil {
			return statsAnswer(merge.IndexStats(nil, &r.spec, bodies))
		}
		return statsAnswer(merge.GlobalStats(nil, &r.spec, bodies))
	}
	return nil
}

func statsAnswer(body []byte, err error) *messages.Answer {
	if err != nil {
		return &messages.Answer{Err: api.Internal(err.Error())}
	}
	return &messages.Answer{Status: http.StatusOK, Body: body}
}

// refusedStats is the answer when a node does not understand what it was asked:
// it is too old.
func refusedStats(c *Cluster, failed []error) *messages.Answer {
	for _, err := range failed {
		if na := (*nodeAnswerError)(nil); errors.As(err, &na) && na.Status == http.StatusBadRequest {
			return &messages.Answer{Status: na.Status, Body: c.clientSafe(na.Body)}
		}
	}
	return nil
}

// countingNodes lists the nodes of a group whose counts together are those of
// all documents, and how often each document is counted; nil when the group
// lacks one, or when an index lies elsewhere too.
func (c *Cluster) countingNodes(group int, indexes []*indexView) ([]topology.NodeIndex, int) {
	v, members := c.views.load(), c.newest.Members(group)
	for _, iv := range indexes {
		if iv.table != c.newest.Table(iv.row.Shards) {
			return nil, 0
		}
	}
	whole := func(n topology.NodeIndex) bool {
		if !v.states[n].up() {
			return false
		}
		for _, iv := range indexes {
			if _, behind := v.behind[n][iv.row.ID]; behind {
				return false
			}
		}
		return true
	}
	if len(members) == c.newest.ReplicationFactor() {
		for _, n := range members {
			if whole(n) {
				return []topology.NodeIndex{n}, 1
			}
		}
		return nil, 0
	}
	for _, n := range members {
		if !whole(n) {
			return nil, 0
		}
	}
	return members, c.newest.ReplicationFactor()
}

// statsCall is one call to one node.
type statsCall struct {
	node topology.NodeIndex
	req  *nodeclient.Request
}

// maxStatsCalls is how many calls are under way at a time for one request: more
// would fill the queues of the nodes.
const maxStatsCalls = 16

// askAll makes several calls, a few at a time. failed is nil when all were
// answered, else it has the error of each call that was not.
func (r *statsRead) askAll(ctx context.Context, calls []statsCall) (bodies [][]byte, failed []error) {
	c := r.c
	r.calls += len(calls)
	bodies = make([][]byte, len(calls))
	errs := make([]error, len(calls))
	slots := make(chan struct{}, maxStatsCalls)
	var wg sync.WaitGroup
	for i, call := range calls {
		slots <- struct{}{}
		wg.Add(1)
		errs[i] = errors.New("the call ended without a result")
		c.spawn("statistics leg", func() {
			defer func() { <-slots; wg.Done() }()
			ctx, cancel := context.WithTimeout(ctx, c.opts.LegTimeout)
			defer cancel()
			call.req.Idempotent = true
			resp, err := c.ask(ctx, c.nodes[call.node], call.req)
			if errs[i] = err; err != nil {
				c.log.WithError(err).WithField("node", c.nodes[call.node].node.ID).Warn("no statistics from a node")
				return
			}
			bodies[i] = resp.Body
		}, nil)
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return bodies, errs
		}
	}
	return bodies, nil
}
