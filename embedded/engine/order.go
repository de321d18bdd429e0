package engine

import (
	"context"
	"math"
	"slices"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"
)

// rule is one ranking rule of one search.
type rule struct {
	kind  RuleKind
	field string
	facet *facet
	fid   uint16
	asc   bool
	geo   *Point
}

// keys is how many numbers a rule contributes to a document's sort key.
func (r *rule) keys() int {
	if r.kind == RuleExactness || r.kind == RuleAttribute {
		return 2
	}
	return 1
}

// queryKind is what orders the hits of a search.
type queryKind uint8

const (
	byPlaceholder queryKind = iota
	byKeywords
	byVector
	byHybrid
)

// rules lists the ranking rules of a search in their order.
func (c *core) rules(kind queryKind, sorts []sortTerm, strategy MatchingStrategy) []rule {
	var out []rule
	used := make(map[RuleKind]bool)
	used[RuleWords] = strategy == MatchAll
	fields := make(map[string]bool)
	sorted := false
	addField := func(name string, asc bool) {
		if !fields[name] {
			fields[name] = true
			f, id := c.facetOf(name)
			out = append(out, rule{kind: RuleSort, field: name, asc: asc, facet: f, fid: id})
		}
	}
	for _, name := range c.cfg.RankingRules {
		if field, asc, ok := customRule(name); ok {
			addField(field, asc)
			continue
		}
		if name == "sort" {
			if sorted {
				continue
			}
			sorted = true
			for _, t := range sorts {
				if t.geo != nil {
					out = append(out, rule{kind: RuleGeo, geo: t.geo, asc: t.asc})
				} else {
					addField(t.field, t.asc)
				}
			}
			continue
		}
		k, ok := queryRules[name]
		switch {
		case !ok || kind == byPlaceholder:
		case kind == byVector:
			if !used[RuleVector] {
				used[RuleVector] = true
				out = append(out, rule{kind: RuleVector})
			}
		default:
			if !used[RuleWords] {
				used[RuleWords] = true
				out = append(out, rule{kind: RuleWords})
			}
			if k != RuleWords && !used[k] {
				used[k] = true
				out = append(out, rule{kind: k})
			}
		}
	}
	return out
}

var queryRules = map[string]RuleKind{
	"words": RuleWords, "typo": RuleTypo, "proximity": RuleProximity, "attribute": RuleAttribute,
	"attributeRank": RuleAttributeRank, "wordPosition": RuleWordPosition, "exactness": RuleExactness,
}

// ranked is a document with its sort key; smaller keys come first.
type ranked struct {
	doc   uint32
	level int // index of the match level
	keys  []uint64
}

func compareRanked(a, b *ranked) int {
	if c := slices.Compare(a.keys, b.keys); c != 0 {
		return c
	}
	if a.doc < b.doc {
		return -1
	}
	return 1
}

// ranker orders documents by rules.
type ranker struct {
	c      *core
	rules  []rule
	width  int // numbers in a key
	m      *matcher
	levels []matchLevel
	score  *scorer
	// similarity is by document, for the vector rule.
	similarity map[uint32]float32

	best  []ranked // the best so far, worst first (a heap), when limit >= 0
	limit int
	spare []uint64
}

func (c *core) newRanker(rules []rule, m *matcher, levels []matchLevel, limit int) *ranker {
	r := &ranker{c: c, rules: rules, m: m, levels: levels, limit: limit}
	for i := range rules {
		r.width += rules[i].keys()
	}
	if m != nil {
		r.score = newScorer(m)
	}
	r.spare = make([]uint64, r.width)
	return r
}

// unlimited ranks every document.
const unlimited = math.MaxInt

// run ranks the documents of all levels and returns the first ones in order,
// as many as the limit says.
func (r *ranker) run(ctx context.Context) ([]ranked, error) {
	wordsFirst := len(r.rules) == 0 || r.rules[0].kind == RuleWords || len(r.levels) == 1
	n := 0
	for i := range r.levels {
		l := &r.levels[i]
		docs := l.docs
		if wordsFirst {
			docs = r.promising(l, r.limit-n)
		}
		if err := r.addAll(ctx, i, docs); err != nil {
			return nil, err
		}
		n += int(l.docs.GetCardinality())
		if wordsFirst && n >= r.limit {
			break
		}
	}
	sort.Slice(r.best, func(i, j int) bool { return compareRanked(&r.best[i], &r.best[j]) < 0 })
	return r.best, nil
}

// promising are the documents of a level worth looking at when need more are
// wanted: as long as a rule's best documents are enough, only those.
func (r *ranker) promising(l *matchLevel, need int) *roaring.Bitmap {
	docs := l.docs
	if r.m == nil || need >= int(docs.GetCardinality()) {
		return docs
	}
	rest := r.rules
	if len(rest) > 0 && rest[0].kind == RuleWords {
		rest = rest[1:]
	}
	if len(rest) == 0 || rest[0].kind != RuleTypo {
		return docs
	}
	zero := r.m.zeroTypo(l)
	if int(zero.GetCardinality()) < need {
		return docs
	}
	if len(l.kept) != 1 {
		return zero
	}
	n := r.m.g.nodes[l.kept[0]]
	if len(n.levels[0].phrases) > 0 {
		return zero
	}
	return r.narrowWord(n, zero, rest[1:], need)
}

// narrowWord goes on for a query of one word that is matched without typos.
func (r *ranker) narrowWord(n *node, docs *roaring.Bitmap, rest []rule, need int) *roaring.Bitmap {
	for i := range rest {
		kind := rest[i].kind
		if kind == RuleAttributeRank || kind == RuleAttribute {
			best := roaring.New()
			for w := 0; w <= r.c.cfg.maxWeight() && best.IsEmpty(); w++ {
				best = r.m.ofWeight(n, w)
				best.And(docs)
			}
			if int(best.GetCardinality()) < need {
				return docs
			}
			docs = best
		}
		switch kind {
		case RuleWordPosition, RuleAttribute:
			if first := r.m.atStart(n); n.pos == 0 {
				if first.And(docs); int(first.GetCardinality()) >= need {
					return first
				}
			}
			return docs
		case RuleProximity, RuleAttributeRank:
		default:
			return docs
		}
	}
	return docs
}

func (r *ranker) addAll(ctx context.Context, level int, docs *roaring.Bitmap) error {
	if r.width == 0 && r.limit < unlimited { // document order decides
		it := docs.Iterator()
		for it.HasNext() && len(r.best) < r.limit {
			r.best = append(r.best, ranked{doc: it.Next(), level: level})
		}
		return nil
	}
	it := docs.Iterator()
	for n := 0; it.HasNext(); n++ {
		if n&1023 == 1023 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.add(it.Next(), level)
	}
	return nil
}

// add ranks one document and keeps it if it is among the best.
func (r *ranker) add(doc uint32, level int) {
	var worst *ranked
	if len(r.best) >= r.limit {
		if r.limit <= 0 {
			return
		}
		worst = &r.best[0]
	}
	if !r.keysOf(doc, level, worst) {
		return
	}
	x := ranked{doc: doc, level: level, keys: r.spare}
	if worst == nil {
		r.spare = make([]uint64, r.width)
		r.best = append(r.best, x)
		if len(r.best) == r.limit {
			r.heapify()
		}
		return
	}
	if compareRanked(&x, worst) >= 0 {
		return
	}
	r.spare = worst.keys
	r.best[0] = x
	r.sink(0)
}

func (r *ranker) heapify() {
	for i := len(r.best)/2 - 1; i >= 0; i-- {
		r.sink(i)
	}
}

// sink restores the heap below i: the worst document on top.
func (r *ranker) sink(i int) {
	for {
		big, left := i, 2*i+1
		for _, j := range [...]int{left, left + 1} {
			if j < len(r.best) && compareRanked(&r.best[j], &r.best[big]) > 0 {
				big = j
			}
		}
		if big == i {
			return
		}
		r.best[i], r.best[big] = r.best[big], r.best[i]
		i = big
	}
}

// keysOf fills r.spare with the key of a document. It stops and reports false
// as soon as the key is worse than that of worst.
func (r *ranker) keysOf(doc uint32, level int, worst *ranked) bool {
	d := r.c.docs[doc]
	at, loaded, tied := 0, false, worst != nil
	for i := range r.rules {
		ru := &r.rules[i]
		if !loaded && r.score != nil && ru.kind > RuleWords && ru.kind <= RuleExactness {
			r.score.load(d)
			r.score.open(r.levels[level].kept)
			loaded = true
		}
		r.ruleKeys(ru, d, doc, level, r.spare[at:])
		for range ru.keys() {
			if tied {
				if r.spare[at] > worst.keys[at] {
					return false
				}
				tied = r.spare[at] == worst.keys[at]
			}
			at++
		}
	}
	return true
}

func (r *ranker) ruleKeys(ru *rule, d *document, doc uint32, level int, out []uint64) {
	switch ru.kind {
	case RuleWords:
		out[0] = uint64(r.levels[level].skipped)
	case RuleTypo:
		out[0] = uint64(r.score.typo())
	case RuleProximity:
		out[0] = uint64(r.score.proximity())
	case RuleAttributeRank:
		out[0] = uint64(r.score.attributeRank())
	case RuleWordPosition:
		out[0] = uint64(r.score.wordPosition())
	case RuleAttribute:
		out[0] = uint64(r.score.attributeRank())
		out[1] = uint64(r.score.wordPosition())
	case RuleExactness:
		out[0] = uint64(r.score.exactAttribute())
		out[1] = uint64(r.score.inexactWords())
	case RuleSort:
		out[0] = math.MaxUint64
		if ru.facet != nil {
			out[0], _, _ = ru.facet.sortKey(d.facet(ru.fid), ru.asc)
		}
	case RuleGeo:
		out[0] = math.MaxUint64
		if d.geo != nil {
			bits := math.Float64bits(distance(*ru.geo, *d.geo))
			if !ru.asc {
				bits = math.MaxInt64 - bits
			}
			out[0] = bits
		}
	case RuleVector:
		out[0] = math.MaxUint64
		if s, ok := r.similarity[doc]; ok {
			out[0] = math.MaxUint32 - uint64(math.Float32bits(max(s, 0)))
		}
	}
}

// sortDocs orders documents by sort terms alone, document order last.
func (c *core) sortDocs(docs *roaring.Bitmap, terms []sortTerm, limit int) []uint32 {
	var rules []rule
	for _, t := range terms {
		if t.geo != nil {
			rules = append(rules, rule{kind: RuleGeo, geo: t.geo, asc: t.asc})
			continue
		}
		f, id := c.facetOf(t.field)
		rules = append(rules, rule{kind: RuleSort, field: t.field, asc: t.asc, facet: f, fid: id})
	}
	r := c.newRanker(rules, nil, []matchLevel{{docs: docs}}, limit)
	best, err := r.run(context.Background())
	if err != nil { // only a cancelled context makes one
		return nil
	}
	out := make([]uint32, len(best))
	for i := range best {
		out[i] = best[i].doc
	}
	return out
}
