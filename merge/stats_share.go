package merge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miroir-search/miroir/rawjson"
)

// IndexLegs is what the nodes that together cover an index say of it, for when some of them hold more than they are
// asked for.
type IndexLegs struct {
	UID  string
	Legs []StatsLeg
}

// StatsLeg is one node's statistics of an index.
type StatsLeg struct {
	// Body is the answer to `GET /indexes/{uid}/stats`.
	Body []byte
	// Part says that the node counts for some of its documents only: Documents tells for how many.
	Part      bool
	Documents int64
	// Page is a page of exactly those documents, for their fields; nil where there are too many, and then they are
	// taken to have the fields of the node's other documents in proportion.
	Page []byte
}

// PartIndexStats is IndexStats for nodes that hold more than they are asked for. The error is a *LegError.
func PartIndexStats(dst []byte, spec *StatsSpec, index *IndexLegs) ([]byte, error) {
	s, err := index.sum()
	if err != nil {
		return dst, err
	}
	return s.append(dst, spec), nil
}

// PartStats is GlobalStats for nodes that hold more than they are asked for: nodes has the whole statistics of every
// node that was asked, from which the sizes of the databases are taken, in proportion to the documents that count.
func PartStats(dst []byte, spec *StatsSpec, indexes []IndexLegs, nodes [][]byte) ([]byte, error) {
	var size, used, held, counted int64
	for i, body := range nodes {
		for _, f := range []struct {
			name string
			sum  *int64
		}{{"databaseSize", &size}, {"usedDatabaseSize", &used}} {
			v, _ := rawjson.Get(body, f.name)
			if err := addInt(f.sum, v); err != nil {
				return dst, &LegError{Leg: i, Err: fmt.Errorf("read %s: %w", f.name, err)}
			}
		}
	}
	sums := make([]*indexStats, len(indexes))
	for i := range indexes {
		var err error
		if sums[i], err = indexes[i].sum(); err != nil {
			return dst, err
		}
		held, counted = held+sums[i].held, counted+sums[i].documents
	}
	out := appendSize(append(dst, `{"databaseSize":`...), spec, proportion(size, counted, held))
	out = appendSize(append(out, `,"usedDatabaseSize":`...), spec, proportion(used, counted, held))
	update := []byte(nil)
	for _, body := range nodes {
		if v, ok := rawjson.Get(body, "lastUpdate"); ok {
			update = latest(update, v)
		}
	}
	if update == nil {
		update = []byte("null")
	}
	out = append(appendRaw(out, `,"lastUpdate":`, update), `,"indexes":{`...)
	slices.SortFunc(sums, func(a, b *indexStats) int { return strings.Compare(a.uid, b.uid) })
	first := true
	for _, s := range sums {
		if _, shown := spec.Names[s.uid]; !shown {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = s.append(append(rawjson.AppendString(out, s.uid), ':'), spec)
	}
	return append(out, "}}"...), nil
}

// sum adds what the nodes say of the documents that they count for.
func (x *IndexLegs) sum() (*indexStats, error) {
	all := &indexStats{uid: x.UID}
	for i := range x.Legs {
		leg := &x.Legs[i]
		var one indexStats
		err := one.add(leg.Body)
		one.held = one.documents
		if err == nil && leg.Part {
			err = one.reduce(leg)
		}
		if err != nil {
			return nil, &LegError{Leg: i, Err: err}
		}
		all.join(&one)
	}
	return all, nil
}

// reduce leaves the part of a node's statistics that its leg counts for.
func (s *indexStats) reduce(leg *StatsLeg) error {
	for _, n := range []*int64{&s.size, &s.values, &s.embeddings, &s.embedded} {
		*n = proportion(*n, leg.Documents, s.held)
	}
	for name, n := range s.databases.values {
		s.databases.values[name] = proportion(n, leg.Documents, s.held)
	}
	for name, n := range s.fields.values {
		s.fields.values[name] = proportion(n, leg.Documents, s.held)
	}
	s.documents = leg.Documents
	if leg.Page == nil {
		return nil
	}
	s.fields = counts{}
	results, _ := rawjson.Get(leg.Page, "results")
	return eachElement(results, func(doc []byte) error {
		return rawjson.EachMember(doc, func(key, _ []byte) bool {
			if !reserved(key) {
				s.fields.add(name(key), 1)
			}
			return true
		})
	})
}

// join adds what another node says.
func (s *indexStats) join(o *indexStats) {
	s.documents, s.held, s.size, s.values = s.documents+o.documents, s.held+o.held, s.size+o.size, s.values+o.values
	s.embeddings, s.embedded = s.embeddings+o.embeddings, s.embedded+o.embedded
	s.hasEmbeddings, s.hasEmbedded, s.isBusy = s.hasEmbeddings || o.hasEmbeddings, s.hasEmbedded || o.hasEmbedded, s.isBusy || o.isBusy
	for _, name := range o.databases.names {
		s.databases.add(name, o.databases.values[name])
	}
	for _, name := range o.fields.names {
		if n := o.fields.values[name]; n > 0 {
			s.fields.add(name, n)
		}
	}
}

// proportion is n times part of whole, rounded to the nearest.
func proportion(n, part, whole int64) int64 {
	if part >= whole {
		return n
	}
	return int64(float64(n)*float64(part)/float64(whole) + 0.5)
}
