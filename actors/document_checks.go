package actors

import (
	"errors"
	"maps"
	"slices"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
	"github.com/miroir-search/miroir/payload"
)

// A document that only the settings make bad would fail, beside itself, whatever a
// node has put into one batch with it, and other documents on other replicas. So
// such documents are refused before any node sees them, under the settings that
// hold at their place in the order of writes.

// documentChecks are what the settings of an index demand of documents; nil for
// what all settings demand. They are never changed.
type documentChecks struct {
	key    string // equal for settings that demand the same
	geo    bool
	given  []string // embedders whose vectors come with the documents
	demand engine.Settings
}

// checksOf tells what settings demand.
func checksOf(s *api.Settings) *documentChecks {
	demands := engine.Settings{SortableAttributes: s.SortableAttributes, Embedders: map[string]engine.Embedder{}}
	geo := slices.Contains(s.SortableAttributes, "_geo")
	for _, r := range s.FilterableAttributes {
		if r.Plain() && r.Field == "_geo" {
			geo = true
			demands.FilterableAttributes = append(demands.FilterableAttributes, engine.PlainFilterable(r.Field))
		}
	}
	if !geo && len(s.Embedders) == 0 {
		return nil
	}
	var given []string
	for _, name := range slices.Sorted(maps.Keys(s.Embedders)) {
		e := s.Embedders[name]
		demands.Embedders[name] = engine.Embedder{Dimensions: e.Dimensions.Value()}
		if e.Source.Value() == api.SourceUserProvided {
			given = append(given, name)
		}
	}
	key := mustJSON([]any{geo, demands.Embedders, given})
	return &documentChecks{key: string(key), geo: geo, given: given, demand: demands}
}

// wantsGeo reports whether the place of a document must be a good one.
func (d *documentChecks) wantsGeo() bool { return d != nil && d.geo }

// checkedDocuments is what was found about the documents of a write.
type checkedDocuments struct {
	key string
	bad []badDocument // in the order of the documents
	// without lists, by embedder, the ids of documents without its vectors.
	without map[string][]*lackingDocument
}

type badDocument struct {
	at  int
	id  string
	err error
}

type lackingDocument struct {
	id     string
	asking bool // it wants new vectors: those that it has do not help
}

// check looks at all documents of a batch whose ids are resolved. A document that
// comes several times in it counts as it is in the end: as the last one, or, of an
// update, with the last of each field.
func (d *documentChecks) check(b *payload.Batch, update bool) *checkedDocuments {
	c := &checkedDocuments{}
	if d != nil {
		c.key = d.key
	} else {
		d = &documentChecks{}
	}
	if !b.Special() && len(d.given) == 0 {
		return c
	}
	c.without = map[string][]*lackingDocument{}
	checker := engine.NewChecker(d.demand, d.given...)
	type seen struct{ document, geo, vectors bool }
	later := make(map[string]seen, b.Len())
	listed := map[string][]*lackingDocument{} // what is noted of a document that came later
	for i := b.Len() - 1; i >= 0; i-- {
		id := string(b.ID(i))
		was := later[id]
		if was.document && !update {
			continue
		}
		f := checker.Check(id, b.Doc(i))
		if f.GeoErr != nil && !was.geo {
			c.bad = append(c.bad, badDocument{i, id, f.GeoErr})
		}
		if f.VectorsErr != nil && !was.vectors {
			c.bad = append(c.bad, badDocument{i, id, f.VectorsErr})
		}
		if !was.vectors && (f.Vectors || !was.document) {
			for _, l := range listed[id] {
				l.id = "" // as a later one without the field
			}
			delete(listed, id)
			for _, name := range f.Lacking {
				l := &lackingDocument{id, slices.Contains(f.Asking, name)}
				c.without[name] = append(c.without[name], l)
				if update {
					listed[id] = append(listed[id], l)
				}
			}
		}
		later[id] = seen{true, was.geo || f.Geo, was.vectors || f.Vectors}
	}
	slices.Reverse(c.bad)
	for name, list := range c.without {
		list = slices.DeleteFunc(list, func(l *lackingDocument) bool { return l.id == "" })
		slices.Reverse(list)
		c.without[name] = list
	}
	return c
}

// under reports whether the documents were checked for these demands.
func (c *checkedDocuments) under(d *documentChecks) bool {
	if d == nil {
		return c.key == ""
	}
	return c.key == d.key
}

// refuse is the error of a write's documents, nil for none. known tells the documents
// that the index has already: there is nothing to check about others when none is
// created, and they must bring the vectors that nobody else makes.
func (c *checkedDocuments) refuse(uid string, skipCreation bool, known func(id string) bool) *api.Error {
	for _, b := range c.bad {
		if !skipCreation || known(b.id) {
			return documentError(uid, b.err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.without)) {
		var ids []string
		for _, l := range c.without[name] {
			isNew := !known(l.id)
			if isNew && !skipCreation || !isNew && l.asking {
				ids = append(ids, l.id)
			}
		}
		if len(ids) > 0 {
			return documentError(uid, engine.Lacking(name, ids))
		}
	}
	return nil
}

// documentError is an error of the engine as a task shows it.
func documentError(uid string, err error) *api.Error {
	var e *engine.Error
	if !errors.As(err, &e) {
		return api.Internal(err.Error())
	}
	return api.NewError(e.Code, e.Message).Prefixed("Index `" + uid + "`: ")
}
