package engine

import (
	"math/bits"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// subset is what a node of the graph may still match after the rules before: some
// numbers of typos, or only the word as it was typed.
type subset struct {
	node   uint8
	levels uint8 // numbers of typos as bits
	exact  bool
}

const allLevels = 7

// route is one reading of the query: nodes that follow each other.
type route []subset

// routes are the readings of the query that documents of a bucket were found by,
// in the order in which a server follows them.
type routes struct {
	list []route
	// possible are readings that count for the highest cost though no document
	// was found by them. Nil for list.
	possible []route
}

// following lists the nodes that begin at a slot, shorter ones first.
func (g *graph) following(slot int) []int {
	out := []int{slot}
	for i := g.slots; i < len(g.nodes); i++ {
		if g.nodes[i].slot == slot {
			out = append(out, i)
		}
	}
	return out
}

// every lists all readings of the query without leaving words out.
func (g *graph) every() []route {
	kept := make([]int, g.slots)
	for i := range kept {
		kept[i] = i
	}
	return g.over(kept)
}

// over lists all readings of some of the words.
func (g *graph) over(kept []int) []route {
	var out []route
	var walk func(at int, r route)
	walk = func(at int, r route) {
		if at == len(kept) {
			out = append(out, slices.Clone(r))
			return
		}
		for _, n := range g.following(kept[at]) {
			if end := at + g.nodes[n].slots(); end <= len(kept) && kept[end-1] == g.nodes[n].slotEnd-1 {
				walk(end, append(r, subset{node: uint8(n), levels: allLevels}))
			}
		}
	}
	walk(0, nil)
	return out
}

// allRoutes are the readings that leave no word out and that match a document.
func (m *matcher) allRoutes(universe *roaring.Bitmap) *routes {
	out := &routes{possible: m.g.every()}
	var walk func(slot int, r route, docs *roaring.Bitmap)
	walk = func(slot int, r route, docs *roaring.Bitmap) {
		if docs.IsEmpty() {
			return
		}
		if slot == m.g.slots {
			out.list = append(out.list, slices.Clone(r))
			return
		}
		for _, n := range m.g.following(slot) {
			walk(m.g.nodes[n].slotEnd, append(r, subset{node: uint8(n), levels: allLevels}), roaring.And(docs, m.g.nodes[n].docs))
		}
	}
	walk(0, nil, universe)
	return out
}

// removal is the order in which words may be left out: step[i] is the place of
// node i in it, 0 when the node always stays.
type removal struct {
	step []int
	// before are the nodes of earlier steps, as bits.
	before []uint32
}

// removal finds out which words a strategy leaves out first. Quoted phrases always
// stay; without any, the last word left stays.
func (m *matcher) removal(strategy MatchingStrategy) removal {
	r := removal{step: make([]int, len(m.g.nodes)), before: make([]uint32, len(m.g.nodes))}
	if strategy == MatchAll || strategy == MatchLast && m.g.slots < 2 {
		return r
	}
	weight := m.removalWeights(strategy)
	quoted := false
	last := 0
	for i, n := range m.g.nodes {
		if n.quoted != nil {
			quoted = true
			continue
		}
		r.step[i] = slices.Max(weight[n.slot:n.slotEnd])
		last = max(last, r.step[i])
	}
	for i := range r.step {
		if r.step[i] == last && !quoted {
			r.step[i] = 0
		}
	}
	for i := range r.step {
		for j := range r.step {
			if r.step[j] > 0 && r.step[j] < r.step[i] {
				r.before[i] |= 1 << j
			}
		}
	}
	return r
}

// removalWeights numbers the words of the query, the first to go first.
func (m *matcher) removalWeights(strategy MatchingStrategy) []int {
	weight := make([]int, m.g.slots)
	if strategy != MatchFrequency {
		for s := range weight {
			weight[s] = m.g.slots - s
		}
		return weight
	}
	count := make([]uint64, m.g.slots)
	order := make([]int, m.g.slots)
	for s := range count {
		order[s] = s
		docs := roaring.New()
		for _, n := range m.g.nodes {
			if n.slot <= s && s < n.slotEnd {
				docs.Or(n.docs)
			}
		}
		if count[s] = docs.GetCardinality(); count[s] == 0 {
			count[s] = ^uint64(0) // nothing is lost without it
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case count[a] > count[b]:
			return -1
		case count[a] < count[b]:
			return 1
		}
		return 0
	})
	w := 1
	for i, s := range order {
		if i > 0 && count[s] != count[order[i-1]] {
			w++
		}
		weight[s] = w
	}
	return weight
}

// matching are the documents that match the query when as many words as the
// strategy allows are left out.
func (m *matcher) matching(r removal, universe *roaring.Bitmap) *roaring.Bitmap {
	reach := make([]*roaring.Bitmap, m.g.slots+1)
	for i := range reach {
		reach[i] = roaring.New()
	}
	reach[0] = universe
	for slot := range m.g.slots {
		if reach[slot].IsEmpty() {
			continue
		}
		if r.step[slot] > 0 {
			reach[slot+1].Or(reach[slot])
		}
		for _, n := range m.g.following(slot) {
			reach[m.g.nodes[n].slotEnd].Or(roaring.And(reach[slot], m.g.nodes[n].docs))
		}
	}
	return reach[m.g.slots]
}

// wordsRule makes a bucket of the documents that miss no word, one of those that
// miss one word, and so on.
type wordsRule struct {
	m       *matcher
	removal removal
	words   int // what it reports when nothing is left out
	cost    int
}

func (r *wordsRule) start(*roaring.Bitmap, *routes) { r.cost = 0 }

func (r *wordsRule) next(universe *roaring.Bitmap) (bucket, bool) {
	if r.cost > bits.OnesCount32(r.removable()) {
		return bucket{}, false
	}
	w := &wordsWalk{r: r, left: universe.Clone(), docs: roaring.New()}
	w.walk(0, r.cost, 0, nil, universe)
	s := RuleScore{Kind: RuleWords, Key: "words", Matching: r.words - r.cost, MaxMatching: r.words}
	s.Rank, s.Max = uint64(max(s.Matching, 0)), uint64(r.words)
	r.cost++
	return bucket{docs: w.docs, routes: orderedRoutes(w.found), score: s}, true
}

// removable are the single words that may be left out, as bits.
func (r *wordsRule) removable() (out uint32) {
	for s := range r.m.g.slots {
		if r.removal.step[s] > 0 {
			out |= 1 << s
		}
	}
	return out
}

// wordsWalk follows the readings of the query that leave out a given number of
// words. Each document counts for the first reading that it is found by.
type wordsWalk struct {
	r     *wordsRule
	left  *roaring.Bitmap // documents not found yet
	docs  *roaring.Bitmap // documents found
	found []route
}

func (w *wordsWalk) walk(slot, cost int, skip uint32, path route, docs *roaring.Bitmap) {
	g := w.r.m.g
	if slot == g.slots {
		if cost != 0 || len(path) == 0 {
			return
		}
		docs = roaring.And(docs, w.left)
		if !docs.IsEmpty() {
			w.left.AndNot(docs)
			w.docs.Or(docs)
			w.found = append(w.found, slices.Clone(path))
		}
		return
	}
	if w.r.removal.step[slot] > 0 && cost > 0 {
		w.walk(slot+1, cost-1, skip|w.r.removal.before[slot], path, docs)
	}
	for _, n := range g.following(slot) {
		if skip>>n&1 != 0 {
			continue
		}
		both := roaring.And(docs, g.nodes[n].docs)
		both.And(w.left)
		if !both.IsEmpty() {
			w.walk(g.nodes[n].slotEnd, cost, skip, append(path, subset{node: uint8(n), levels: allLevels}), both)
		}
	}
}

// orderedRoutes puts readings in the order in which a server follows them later:
// it makes one node of words with the same end of the query behind them, numbers
// the nodes as they come, and begins at the lowest numbers.
func orderedRoutes(found []route) *routes {
	number := map[string]int{}
	type numbered struct {
		first int
		route route
	}
	var list []numbered
	seen := map[string]bool{}
	for _, r := range found {
		key := r.key()
		first := -1
		for i := range r {
			end := key[i*3:]
			if _, ok := number[end]; !ok {
				number[end] = len(number)
			}
			if i == 0 {
				first = number[end]
			}
		}
		if !seen[key] {
			seen[key] = true
			list = append(list, numbered{first, r})
		}
	}
	slices.SortStableFunc(list, func(a, b numbered) int { return a.first - b.first })
	out := &routes{}
	for _, n := range list {
		out.list = append(out.list, n.route)
	}
	return out
}

// key is the reading as text, three bytes a node.
func (r route) key() string {
	b := make([]byte, 0, 3*len(r))
	for _, s := range r {
		e := byte(0)
		if s.exact {
			e = 1
		}
		b = append(b, s.node, s.levels, e)
	}
	return string(b)
}
