package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

// Index is one index. Any number of readers may use it while one batch after
// another is applied; a reader sees either all of a batch or nothing of it.
type Index struct {
	write sync.Mutex   // held by the writer for a whole batch
	mu    sync.RWMutex // guards core and, for readers, all that is in it
	core  *core
}

// New returns an empty index.
func New(s Settings) *Index {
	return &Index{core: newCore(newConfig(s))}
}

// pending is the state a document will have after the batch so far.
type pending struct {
	doc   json.RawMessage // as given; nil when removed
	value *jsonValue      // parsed
}

// Apply carries out a batch. On an error, which is an *Error where the client
// has to see it, nothing was changed. The settings in a batch hold for all its
// documents.
func (x *Index) Apply(b *Batch) (Applied, error) {
	x.write.Lock()
	defer x.write.Unlock()
	p := planner{core: x.core, docs: make(map[string]*pending), restore: b.Restore}
	results := make([]OpResult, len(b.Ops))
	for i := range b.Ops {
		r, err := p.step(&b.Ops[i])
		if err != nil {
			return Applied{}, err
		}
		results[i] = r
	}
	var err error
	if p.cleared || p.settings != nil && x.core.cfg.reindexes(p.settings) {
		err = x.replace(&p)
	} else {
		err = x.amend(&p)
	}
	if err != nil {
		return Applied{}, err
	}
	return Applied{Results: results, Documents: x.core.live.GetCardinality()}, nil
}

// planner follows the operations of a batch without changing anything.
type planner struct {
	core     *core
	docs     map[string]*pending
	order    []string // ids in docs, in order of first appearance
	cleared  bool
	settings *Settings
	restore  bool
}

func (p *planner) step(op *Op) (OpResult, error) {
	switch op.Kind {
	case OpConfigure:
		s := *op.Settings
		p.settings = &s
	case OpClear:
		n := p.count()
		p.docs, p.order, p.cleared = make(map[string]*pending), nil, true
		return OpResult{Deleted: uint64(n)}, nil
	case OpDelete:
		if p.exists(op.ID) {
			p.set(op.ID, nil, nil)
			return OpResult{Existed: true, Deleted: 1}, nil
		}
	default:
		return p.put(op)
	}
	return OpResult{}, nil
}

func (p *planner) put(op *Op) (OpResult, error) {
	existed := p.exists(op.ID)
	if op.SkipCreation && !existed {
		return OpResult{}, nil
	}
	v, err := parseJSON(op.Doc)
	if err != nil || v.kind != jsonObject {
		return OpResult{}, &Error{Code: "malformed_payload", Message: fmt.Sprintf("document %q is no JSON object", op.ID)}
	}
	if op.Kind == OpUpdate && existed {
		old, err := p.current(op.ID)
		if err != nil {
			return OpResult{}, err
		}
		v = mergeTop(old, v)
	}
	p.set(op.ID, op.Doc, &v)
	return OpResult{Existed: existed}, nil
}

// current is the document as the batch has made it so far.
func (p *planner) current(id string) (jsonValue, error) {
	if d, ok := p.docs[id]; ok {
		return *d.value, nil
	}
	v, err := parseJSON(p.core.docs[p.core.byID[id]].raw)
	if err != nil {
		return v, fmt.Errorf("read stored document %q: %w", id, err)
	}
	return v, nil
}

// mergeTop puts the members of next over those of old.
func mergeTop(old, next jsonValue) jsonValue {
	out := jsonValue{kind: jsonObject}
	out.keys = append(out.keys, old.keys...)
	out.items = append(out.items, old.items...)
	for i, k := range next.keys {
		if m := out.get(k); m != nil {
			*m = next.items[i]
		} else {
			out.keys = append(out.keys, k)
			out.items = append(out.items, next.items[i])
		}
	}
	return out
}

func (p *planner) exists(id string) bool {
	if d, ok := p.docs[id]; ok {
		return d.value != nil
	}
	if p.cleared {
		return false
	}
	_, ok := p.core.byID[id]
	return ok
}

func (p *planner) count() int {
	n := 0
	if !p.cleared {
		n = int(p.core.live.GetCardinality())
	}
	for id, d := range p.docs {
		_, before := p.core.byID[id]
		before = before && !p.cleared
		if d.value != nil && !before {
			n++
		} else if d.value == nil && before {
			n--
		}
	}
	return n
}

func (p *planner) set(id string, doc json.RawMessage, v *jsonValue) {
	d, ok := p.docs[id]
	if !ok {
		d = &pending{}
		p.docs[id] = d
		p.order = append(p.order, id)
	}
	d.doc, d.value = doc, v
}

// changes turns the plan into changes of c, which may be a new core. New
// documents take the lowest numbers that were free before the batch.
func (p *planner) changes(c *core) ([]change, error) {
	c.writer.lacking = nil // of a batch that failed
	next := uint32(0)
	out := make([]change, 0, len(p.order))
	for _, id := range p.order {
		d := p.docs[id]
		doc, there := c.byID[id]
		if d.value == nil {
			if there {
				out = append(out, change{doc: doc})
			}
			continue
		}
		if !there {
			for c.live.Contains(next) {
				next++
			}
			doc = next
			next++
		}
		var old *document
		if there {
			old = c.docs[doc]
		}
		e, err := c.writer.extract(id, d.value, old)
		if err != nil {
			return nil, err
		}
		out = append(out, change{doc, e})
		d.value = &jsonValue{} // the parsed form is not needed any more
	}
	if p.restore {
		return out, nil
	}
	return out, c.writer.settleVectors()
}

// amend changes the core in place.
func (x *Index) amend(p *planner) error {
	c := x.core
	cfg := c.cfg
	if p.settings != nil {
		cfg = newConfig(*p.settings)
		c.writer.cfg = cfg
	}
	changes, err := p.changes(c)
	if err != nil {
		c.writer.cfg = c.cfg
		return err
	}
	fst, gone, err := c.prepare(changes)
	if err != nil {
		return fmt.Errorf("build word automaton: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	c.cfg = cfg
	c.commit(changes, fst, gone)
	return nil
}

// replace builds a new core beside the old one and swaps it in.
func (x *Index) replace(p *planner) error {
	old := x.core
	cfg := old.cfg
	if p.settings != nil {
		cfg = newConfig(*p.settings)
	}
	c := newCore(cfg)
	for _, a := range old.fields.attrs {
		c.writer.field(a.name) // fields keep their numbers
	}
	if !p.cleared {
		if err := c.copyFrom(old, p); err != nil {
			return err
		}
	}
	changes, err := p.changes(c)
	if err != nil {
		return err
	}
	fst, gone, err := c.prepare(changes)
	if err != nil {
		return fmt.Errorf("build word automaton: %w", err)
	}
	c.commit(changes, fst, gone)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.core = c
	return nil
}

// copyFrom puts the documents of another core into c, at the same places.
// Those the plan replaces anyway only get their place.
func (c *core) copyFrom(old *core, p *planner) error {
	var changes []change
	it := old.live.Iterator()
	for it.HasNext() {
		doc := it.Next()
		d := old.docs[doc]
		if _, ok := p.docs[d.id]; ok {
			holder := &document{id: d.id, raw: []byte("{}"), vectors: d.vectors}
			changes = append(changes, change{doc, &extracted{document: holder}})
			continue
		}
		v, err := parseJSON(d.raw)
		if err != nil {
			return fmt.Errorf("read stored document %q: %w", d.id, err)
		}
		c.writer.restoreVectors(&v, d)
		e, err := c.writer.extract(d.id, &v, d)
		if err != nil {
			return err
		}
		changes = append(changes, change{doc, e})
	}
	if err := c.writer.settleVectors(); err != nil {
		return err
	}
	fst, gone, err := c.prepare(changes)
	if err != nil {
		return fmt.Errorf("build word automaton: %w", err)
	}
	c.commit(changes, fst, gone)
	return nil
}

// Document returns a whole document, its vectors included. Putting it into
// another index with the same settings makes the same document. The bytes must
// not be changed.
func (x *Index) Document(id string) (json.RawMessage, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	doc, ok := x.core.byID[id]
	if !ok {
		return nil, false
	}
	d := x.core.docs[doc]
	if len(d.vectors) == 0 {
		return d.raw, true
	}
	return x.core.appendShown(nil, d, &shows{all: true, vectors: true}), true
}

// View returns a document as the document routes show it: the given fields,
// all when nil, and vectors only when asked for.
func (x *Index) View(id string, fields []string, retrieveVectors bool) (json.RawMessage, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	doc, ok := x.core.byID[id]
	if !ok {
		return nil, false
	}
	return x.core.view(doc, fields, retrieveVectors), true
}

// FieldDistribution counts the documents that have each top-level field.
func (x *Index) FieldDistribution() map[string]uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return maps.Clone(x.core.dist)
}

// Len is the number of documents.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return int(x.core.live.GetCardinality())
}

// RawSize is the size of all documents as JSON, in bytes.
func (x *Index) RawSize() uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.core.raw
}

// Fields lists the known fields, nested ones included, in the order they were
// first seen. Documents show their members in this order.
func (x *Index) Fields() []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	out := make([]string, len(x.core.fields.attrs))
	for i, a := range x.core.fields.attrs {
		out[i] = a.name
	}
	return out
}

// Settings are the settings in force. They must not be changed.
func (x *Index) Settings() Settings {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.core.cfg.Settings
}

// Embeddings counts the stored vectors and the documents that have any.
func (x *Index) Embeddings() (vectors, documents uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	docs := roaring.New()
	for name, b := range x.core.embedded {
		docs.Or(b)
		it := b.Iterator()
		for it.HasNext() {
			vectors += uint64(len(x.core.docs[it.Next()].vectors[name].list))
		}
	}
	return vectors, docs.GetCardinality()
}
