package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/payload"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// lookupPart is how many ids one call asks a node for.
const lookupPart = 20_000

// wantedIDs are ids that nodes are to be asked for, by shard.
type wantedIDs struct {
	byShard [][]string
	need    topology.ShardSet
	seen    map[string]struct{}
}

func newWantedIDs(shards int) *wantedIDs {
	return &wantedIDs{byShard: make([][]string, shards), need: topology.NewShardSet(shards), seen: map[string]struct{}{}}
}

func (ids *wantedIDs) empty() bool { return ids == nil || ids.need.Empty() }

// add adds an id, which must stay as it is. Of one write all ids differ, so those of
// large ones are not noted as seen: to ask twice for one does no harm.
func (ids *wantedIDs) add(id string, shard int, large bool) {
	if !large {
		if _, again := ids.seen[id]; again {
			return
		}
		ids.seen[id] = struct{}{}
	}
	if !payload.ValidID([]byte(id)) {
		return // deletions may name anything; nodes are not asked for what cannot be
	}
	ids.byShard[shard] = append(ids.byShard[shard], id)
	ids.need.Add(shard)
}

// lookupSeqs asks owners that are up to date for the insertion numbers of the
// documents with the given ids; absent documents are absent from the result.
func (c *Cluster) lookupSeqs(ctx context.Context, h *indexHandle, pk string, ids *wantedIDs) (map[string]uint64, *api.Error) {
	need := ids.need
	found, failed := map[string]uint64{}, map[topology.NodeIndex]bool{}
	for !need.Empty() {
		legs := c.lookupPlan(h, need, failed)
		if len(legs) == 0 {
			return nil, api.Errorf("miroir_no_quorum",
				"No up-to-date copy of shards %s answers, so the write cannot be put into order. Nothing was written.", need.AppendList(nil, 64))
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, leg := range legs {
			wg.Add(1)
			c.spawn("lookup leg", func() {
				defer wg.Done()
				err := errors.New("the look-up ended without a result")
				defer func() {
					if err != nil { // also after a panic
						mu.Lock()
						defer mu.Unlock()
						failed[leg.Node] = true
					}
				}()
				err = c.lookupLeg(ctx, h, pk, leg, ids.byShard, &mu, found)
				if err != nil {
					c.log.WithError(err).WithField("node", c.nodes[leg.Node].node.ID).Warn("a look-up of ids failed; another copy is asked")
					return
				}
				mu.Lock()
				defer mu.Unlock()
				need = need.Minus(leg.Shards)
			}, nil)
		}
		wg.Wait()
	}
	return found, nil
}

// lookupPlan chooses nodes for what is needed: the first group that has some of
// it, and others for the rest in later rounds.
func (c *Cluster) lookupPlan(h *indexHandle, need topology.ShardSet, failed map[topology.NodeIndex]bool) []topology.Leg {
	table := h.table.Load()
	usable, snap := c.views.load().usable(table, h.id), table.Snapshot()
	for n := range failed {
		usable[n] = topology.NewShardSet(h.shards)
	}
	stored := c.stored(table)
	for g := range snap.Groups() {
		if legs := topology.Covers(snap.Members(g), need, usable, stored)[0].Legs; len(legs) > 0 {
			return legs
		}
	}
	return nil
}

func (c *Cluster) lookupLeg(ctx context.Context, h *indexHandle, pk string, leg topology.Leg, byShard [][]string, mu *sync.Mutex, found map[string]uint64) error {
	var part []string
	for s := range leg.Shards.All() {
		for _, id := range byShard[s] {
			if part = append(part, id); len(part) < lookupPart {
				continue
			}
			if err := c.fetchSeqs(ctx, h, pk, leg.Node, part, mu, found); err != nil {
				return err
			}
			part = part[:0]
		}
	}
	if len(part) == 0 {
		return nil
	}
	return c.fetchSeqs(ctx, h, pk, leg.Node, part, mu, found)
}

// fetchSeqs asks one node for one part of the ids.
func (c *Cluster) fetchSeqs(ctx context.Context, h *indexHandle, pk string, n topology.NodeIndex, ids []string, mu *sync.Mutex, found map[string]uint64) error {
	body := append([]byte(nil), fmt.Sprintf(`{"limit":%d,"fields":["%s",`, len(ids), topology.SeqField)...)
	body = append(rawjson.AppendString(body, pk), `],"ids":[`...)
	for i, id := range ids {
		if i > 0 {
			body = append(body, ',')
		}
		body = rawjson.AppendString(body, id)
	}
	resp, err := c.ask(ctx, c.nodes[n], &nodeclient.Request{
		Method: http.MethodPost, Path: "/indexes/" + h.id + "/documents/fetch", ContentType: "application/json",
		Body: append(body, "]}"...), Idempotent: true,
	})
	if err != nil {
		if na := (*nodeAnswerError)(nil); errors.As(err, &na) && na.Status == http.StatusNotFound && strings.Contains(string(na.Body), "index_not_found") {
			return nil // not made there yet, so it has no documents
		}
		return err
	}
	results, ok := rawjson.Get(resp.Body, "results")
	if !ok {
		return fmt.Errorf("the answer has no results: %.100s", resp.Body)
	}
	var bad error
	err = rawjson.EachElement(results, func(doc []byte) bool {
		id, seq, err := readSeq(doc, pk)
		if err != nil {
			bad = err
			return false
		}
		mu.Lock()
		found[id] = seq
		mu.Unlock()
		return true
	})
	return errors.Join(bad, err)
}

// readSeq reads the id and the insertion number of a stored document.
func readSeq(doc []byte, pk string) (string, uint64, error) {
	id, err := payload.DocumentID(doc, pk)
	if err != nil {
		return "", 0, fmt.Errorf("read an id: %w", err)
	}
	raw, ok := rawjson.Get(doc, topology.SeqField)
	var text string
	if !ok || json.Unmarshal(raw, &text) != nil {
		return "", 0, fmt.Errorf("document %s has no insertion number", id)
	}
	seq, ok := topology.ParseSeq([]byte(text))
	if !ok {
		return "", 0, fmt.Errorf("document %s has the insertion number %q", id, text)
	}
	return id, seq, nil
}

// stored lists, by node, what it may have of an index on disk.
func (c *Cluster) stored(t *topology.Table) []topology.ShardSet {
	out := make([]topology.ShardSet, len(c.nodes))
	for n := range out {
		out[n] = t.Stored(n)
	}
	return out
}
