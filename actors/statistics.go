package actors

import (
	"context"
	"net/http"
	"sync"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/topology"
)

// statistics answers GetIndexStats and GetStats. Nodes cannot count by shard,
// so a whole group is asked and its sums are divided by its copies.
func (c *Cluster) statistics(ctx context.Context, msg any) *messages.Answer {
	path, indexes := "/stats", c.registry.list()
	var only *indexView
	spec := &merge.StatsSpec{Names: map[string]string{}}
	switch m := msg.(type) {
	case *messages.GetIndexStats:
		iv, ok := c.registry.lookup(m.IndexUID)
		if !ok {
			return &messages.Answer{Err: api.IndexNotFound(m.IndexUID)}
		}
		only, indexes, path = iv, []*indexView{iv}, "/indexes/"+iv.row.ID+"/stats"
	case *messages.GetStats:
		for _, iv := range indexes {
			if m.Allowed == nil || m.Allowed(iv.row.UID) {
				spec.Names[iv.row.ID] = iv.row.UID
			}
		}
	}
	calls := 0
	start := int(c.queries.Add(1)) % c.snap.Groups() //nolint:gosec // wraps round
	for i := range c.snap.Groups() {
		nodes, copies := c.countingNodes((start+i)%c.snap.Groups(), indexes)
		if nodes == nil {
			continue
		}
		calls += len(nodes)
		bodies := c.askAll(ctx, nodes, path)
		if bodies == nil {
			continue
		}
		spec.Copies = int64(copies)
		var body []byte
		var err error
		if only != nil {
			body, err = merge.IndexStats(nil, spec, bodies)
		} else {
			body, err = merge.GlobalStats(nil, spec, bodies)
		}
		if err != nil {
			return &messages.Answer{Err: api.Internal(err.Error()), Nodes: calls}
		}
		return &messages.Answer{Status: http.StatusOK, Body: body, Nodes: calls}
	}
	return &messages.Answer{Nodes: calls, Err: api.NewError("miroir_shard_unavailable",
		"No replica group is whole, so documents cannot be counted now. Ask again when a group has all its nodes.")}
}

// countingNodes lists the nodes of a group whose counts together are those of
// all documents, and how often each document is counted; nil when the group
// lacks one.
func (c *Cluster) countingNodes(group int, indexes []*indexView) ([]topology.NodeIndex, int) {
	v, members := c.views.load(), c.snap.Members(group)
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
	if len(members) == c.snap.ReplicationFactor() {
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
	return members, c.snap.ReplicationFactor()
}

// askAll asks several nodes at once; nil when one of them fails.
func (c *Cluster) askAll(ctx context.Context, nodes []topology.NodeIndex, path string) [][]byte {
	ctx, cancel := context.WithTimeout(ctx, c.opts.LegTimeout)
	defer cancel()
	bodies := make([][]byte, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Add(1)
		c.spawn("statistics leg", func() {
			defer wg.Done()
			resp, err := c.ask(ctx, c.nodes[n], &nodeclient.Request{Method: http.MethodGet, Path: path, Idempotent: true})
			if err != nil {
				c.log.WithError(err).WithField("node", c.nodes[n].node.ID).Warn("no statistics from a node")
				return
			}
			bodies[i] = resp.Body
		}, nil)
	}
	wg.Wait()
	for _, b := range bodies {
		if b == nil {
			return nil
		}
	}
	return bodies
}
