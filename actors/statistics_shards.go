package actors

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// maxCountedFields is up to how many documents of a node are read to count the
// fields of one index, where the node holds others too.
const maxCountedFields = 10_000

// ofShards counts shard by shard: from nodes that cover all shards, each counting
// for some of what it holds. Documents are counted exactly.
func (r *statsRead) ofShards(ctx context.Context) *messages.Answer {
	c := r.c
	failed := make([]bool, len(c.nodes))
	for range len(c.nodes) + 1 {
		p := r.plan(failed)
		if !p.missing.Empty() && (len(p.nodes) == 0 || r.policy() == "error") {
			return &messages.Answer{Err: c.unavailable(p.missing, nil)}
		}
		if errs := p.ask(ctx, r); errs != nil {
			if a := refusedStats(c, errs); a != nil {
				return a
			}
			if ctx.Err() != nil {
				break
			}
			for i, err := range errs {
				if err != nil {
					failed[p.asked[i].node] = true
				}
			}
			continue
		}
		a := p.answer(r)
		d := degradation{}
		d.add(nil, p.missing)
		a.Degraded = d.header()
		return a
	}
	return &messages.Answer{Err: c.unavailable(r.indexes[0].table.All(), nil)}
}

func (r *statsRead) policy() string {
	if r.options.OnMissing != "" {
		return r.options.OnMissing
	}
	return r.c.opts.UnavailableShards
}

// statsPlan is who counts what.
type statsPlan struct {
	nodes   []topology.NodeIndex
	legs    []statsLeg
	missing topology.ShardSet
	asked   []statsCall // of the last round

	bodies [][]byte // by node: its whole statistics
}

type statsLeg struct {
	topology.Leg
	iv    *indexView
	total int64
	page  []byte
}

func (r *statsRead) plan(failed []bool) *statsPlan {
	p := &statsPlan{}
	for _, iv := range r.indexes {
		legs, missing := r.c.recover(iv, iv.table.All(), failed, 0)
		if !missing.Empty() {
			p.missing = p.missing.Or(missing)
		}
		for _, l := range legs {
			p.legs = append(p.legs, statsLeg{Leg: l, iv: iv})
			if !slices.Contains(p.nodes, l.Node) {
				p.nodes = append(p.nodes, l.Node)
			}
		}
	}
	return p
}

// ask makes the calls in two rounds: statistics and counts, then, for one index,
// the documents whose fields are counted one by one.
func (p *statsPlan) ask(ctx context.Context, r *statsRead) []error {
	p.asked = nil
	for _, n := range p.nodes {
		p.asked = append(p.asked, statsCall{n, &nodeclient.Request{Method: http.MethodGet, Path: r.path(nil)}})
	}
	counted := p.fetch(func(l *statsLeg) int64 { return 0 })
	bodies, errs := r.askAll(ctx, p.asked)
	if errs != nil {
		return errs
	}
	p.bodies = bodies[:len(p.nodes)]
	for i, l := range counted {
		total, _ := rawjson.Get(bodies[len(p.nodes)+i], "total")
		l.total, _ = rawjson.ParseInt(total)
	}
	if r.only == nil {
		return nil // documents of all indexes are too many to read
	}
	p.asked = nil
	read := p.fetch(func(l *statsLeg) int64 {
		if l.total > maxCountedFields {
			return -1
		}
		return l.total
	})
	if len(read) == 0 {
		return nil
	}
	if bodies, errs = r.askAll(ctx, p.asked); errs != nil {
		return errs
	}
	for i, l := range read {
		l.page = bodies[i]
	}
	return nil
}

// fetch adds the calls for documents of legs that hold more than they count for;
// limit is how many, below 0 for no call.
func (p *statsPlan) fetch(limit func(l *statsLeg) int64) (of []*statsLeg) {
	for i := range p.legs {
		l := &p.legs[i]
		n := limit(l)
		if !l.Filtered || n < 0 {
			continue
		}
		body := strconv.AppendInt([]byte(`{"limit":`), n, 10)
		body = append(appendShardFilter(append(body, `,"filter":`...), nil, l.Leg), '}')
		p.asked = append(p.asked, statsCall{l.Node, jsonCall(http.MethodPost, "/indexes/"+l.iv.row.ID+"/documents/fetch", body)})
		of = append(of, l)
	}
	return of
}

func (p *statsPlan) answer(r *statsRead) *messages.Answer {
	indexes := make([]merge.IndexLegs, len(r.indexes))
	for i, iv := range r.indexes {
		indexes[i].UID = iv.row.UID
		for _, l := range p.legs {
			if l.iv != iv {
				continue
			}
			all, _ := rawjson.Get(p.bodies[slices.Index(p.nodes, l.Node)], "indexes")
			body, ok := rawjson.Get(all, iv.row.ID)
			if !ok {
				body = []byte("{}") // being made, or deleted, there
			}
			indexes[i].Legs = append(indexes[i].Legs, merge.StatsLeg{Body: body, Part: l.Filtered, Documents: l.total, Page: l.page})
		}
	}
	if r.only != nil {
		return statsAnswer(merge.PartIndexStats(nil, &r.spec, &indexes[0]))
	}
	names := map[string]string{}
	for _, uid := range r.spec.Names {
		names[uid] = uid
	}
	r.spec.Names = names
	return statsAnswer(merge.PartStats(nil, &r.spec, indexes, p.bodies))
}
