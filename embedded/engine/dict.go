package engine

import (
	"bytes"
	"math"
	"sort"

	"github.com/blevesearch/vellum"
	"github.com/blevesearch/vellum/levenshtein"
)

// dictionary gives every word a number. Only the writer changes it; readers use
// the automaton that was built last, and words up to the length published with
// it.
type dictionary struct {
	words []string
	ids   map[string]uint32
	df    []uint32 // documents that hold the word
	free  []uint32
	// sorted are the words of the automaton in order.
	sorted []uint32
	// changed are words whose df went from or to zero since the last build.
	changed map[uint32]struct{}
}

func newDictionary() *dictionary {
	return &dictionary{ids: make(map[string]uint32), changed: make(map[uint32]struct{})}
}

// intern returns the number of a word, a new one if need be.
func (d *dictionary) intern(word []byte) uint32 {
	if id, ok := d.ids[string(word)]; ok {
		return id
	}
	w := string(word)
	var id uint32
	if n := len(d.free); n > 0 {
		id = d.free[n-1]
		d.free = d.free[:n-1]
		d.words[id] = w
	} else {
		id = uint32(len(d.words))
		d.words = append(d.words, w)
		d.df = append(d.df, 0)
	}
	d.ids[w] = id
	d.changed[id] = struct{}{}
	return id
}

func (d *dictionary) hold(id uint32) {
	if d.df[id]++; d.df[id] == 1 {
		d.changed[id] = struct{}{}
	}
}

func (d *dictionary) drop(id uint32) {
	if d.df[id]--; d.df[id] == 0 {
		d.changed[id] = struct{}{}
	}
}

// rebuild forgets the words nobody holds and makes a new automaton; it returns
// old when nothing changed. Words it forgets may be numbered anew only after
// the new automaton is in place, so the caller passes them to release then.
func (d *dictionary) rebuild(old *vellum.FST) (fst *vellum.FST, gone []uint32, err error) {
	if len(d.changed) == 0 && old != nil {
		return old, nil, nil
	}
	present := make(map[uint32]struct{}, len(d.changed))
	kept := make([]uint32, 0, len(d.sorted)+len(d.changed))
	for _, id := range d.sorted {
		if d.df[id] > 0 {
			kept = append(kept, id)
		}
		if _, ok := d.changed[id]; ok {
			present[id] = struct{}{}
		}
	}
	var added []uint32
	for id := range d.changed {
		if d.df[id] == 0 {
			gone = append(gone, id)
		} else if _, ok := present[id]; !ok {
			added = append(added, id)
		}
	}
	sort.Slice(added, func(i, j int) bool { return d.words[added[i]] < d.words[added[j]] })
	d.sorted = d.merge(kept, added)
	clear(d.changed)

	var buf bytes.Buffer
	b, err := vellum.New(&buf, nil)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range d.sorted {
		if err := b.Insert([]byte(d.words[id]), uint64(id)); err != nil {
			return nil, nil, err
		}
	}
	if err := b.Close(); err != nil {
		return nil, nil, err
	}
	fst, err = vellum.Load(buf.Bytes())
	return fst, gone, err
}

func (d *dictionary) merge(a, b []uint32) []uint32 {
	if len(b) == 0 {
		return a
	}
	out := make([]uint32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if d.words[a[0]] < d.words[b[0]] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// release lets the numbers of forgotten words be used again.
func (d *dictionary) release(gone []uint32) {
	for _, id := range gone {
		if d.df[id] == 0 {
			delete(d.ids, d.words[id])
			d.free = append(d.free, id)
		}
	}
}

// lexicon is a reader's view of the dictionary.
type lexicon struct {
	fst   *vellum.FST
	words []string
}

func (l *lexicon) lookup(word string) (uint32, bool) {
	if l.fst == nil {
		return 0, false
	}
	v, ok, err := l.fst.Get([]byte(word))
	return uint32(v), ok && err == nil
}

// withPrefix calls f for every word that begins with prefix.
func (l *lexicon) withPrefix(prefix string, f func(id uint32)) {
	if l.fst == nil {
		return
	}
	start := []byte(prefix)
	it, err := l.fst.Iterator(start, prefixEnd(start))
	for err == nil {
		_, v := it.Current()
		f(uint32(v))
		err = it.Next()
	}
}

// prefixEnd is the first key behind all keys with the prefix, nil for none.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

var levenshteins = [2]*levenshtein.LevenshteinAutomatonBuilder{mustLevenshtein(1), mustLevenshtein(2)}

func mustLevenshtein(distance uint8) *levenshtein.LevenshteinAutomatonBuilder {
	b, err := levenshtein.NewLevenshteinAutomatonBuilder(distance, true)
	if err != nil {
		panic("BUG: edit distance automaton: " + err.Error())
	}
	return b
}

// withTypos calls f for every word at an edit distance of 1 to most (1 or 2)
// from word; for a prefix, from any beginning of the words. Words at distance
// 0 are left out. A word with another first letter costs one typo more. No more
// than caps words are given for one and for two typos; those that f does not take
// are not counted.
func (l *lexicon) withTypos(word string, most int, prefix bool, caps typoCaps, f func(id uint32, typos int) bool) {
	if l.fst == nil || word == "" {
		return
	}
	dfa, err := levenshteins[most-1].BuildDfa(word, uint8(most))
	if err != nil {
		return // too long for an automaton: no typos
	}
	var a vellum.Automaton = dfa
	if prefix {
		a = &prefixAutomaton{dfa: dfa, most: most}
	}
	first, query := firstRune(word), []rune(word)
	if len(query) < len(word) {
		a = anyWord{} // the automaton misses words of longer characters
	}
	it, err := l.fst.Search(a, nil, nil)
	for err == nil {
		key, v := it.Current()
		d := 0
		if prefix || len(query) < len(word) {
			d = editDistance(query, string(key), most, prefix)
		} else {
			d = distanceOf(dfa, key, most)
		}
		if d > 0 && firstRune(string(key)) != first {
			// Where a server has enough words of two typos it takes this for one.
			if d++; d == 2 && most == 2 && caps[1] == 0 {
				d = 1
			}
		}
		if d > 0 && d <= most && caps[d-1] > 0 && f(uint32(v), d) {
			caps[d-1]--
		}
		if caps[0] == 0 && (most == 1 || caps[1] == 0) {
			return
		}
		err = it.Next()
	}
}

// typoCaps are how many words with one and with two typos are looked for.
type typoCaps [2]int

var (
	serverTypoCaps = typoCaps{150, 50}
	noTypoCaps     = typoCaps{math.MaxInt, math.MaxInt}
)

func firstRune(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}

// distanceOf walks the automaton along key and returns its edit distance.
func distanceOf(dfa *levenshtein.DFA, key []byte, most int) int {
	state := dfa.Start()
	for _, c := range key {
		if state = dfa.Accept(state, c); !dfa.CanMatch(state) {
			return most + 1
		}
	}
	if dfa.IsMatch(state) {
		return int(dfa.EditDistance(state))
	}
	return most + 1
}

// editDistance is the edit distance of a query from a word, or most+1. For a prefix
// it is that from the first beginning of the word that no part of the query is nearer
// to, as in a server's automaton, which stops there; without one, that of the word.
func editDistance(query []rune, word string, most int, prefix bool) int {
	n := len(query)
	var space [3 * 64]int
	rows := space[:]
	if n+1 > 64 {
		rows = make([]int, 3*(n+1))
	}
	before, last, row := rows[:n+1], rows[n+1:2*(n+1)], rows[2*(n+1):3*(n+1)]
	for j := range last {
		last[j] = j
	}
	previous := rune(-1)
	at := 0
	for _, c := range word {
		at++
		row[0] = at
		least := at
		for j := 1; j <= n; j++ {
			cost := 1
			if query[j-1] == c {
				cost = 0
			}
			d := min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if at > 1 && j > 1 && query[j-1] == previous && query[j-2] == c {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
			least = min(least, d)
		}
		if prefix && row[n] <= most && row[n] == least {
			return row[n]
		}
		if least > most {
			return most + 1
		}
		before, last, row = last, row, before
		previous = c
	}
	return min(last[n], most+1)
}

// anyWord accepts every word.
type anyWord struct{}

func (anyWord) Start() int               { return 0 }
func (anyWord) IsMatch(int) bool         { return true }
func (anyWord) CanMatch(int) bool        { return true }
func (anyWord) WillAlwaysMatch(int) bool { return true }
func (anyWord) Accept(int, byte) int     { return 0 }

// prefixAutomaton accepts every word one of whose beginnings is near enough.
// A state carries the best distance seen so far.
type prefixAutomaton struct {
	dfa  *levenshtein.DFA
	most int
}

func (a *prefixAutomaton) pack(state, best int) int {
	if a.dfa.CanMatch(state) && a.dfa.IsMatch(state) {
		best = min(best, int(a.dfa.EditDistance(state)))
	}
	return state*4 + min(best, 3)
}

func (a *prefixAutomaton) Start() int { return a.pack(a.dfa.Start(), 3) }

func (a *prefixAutomaton) IsMatch(s int) bool { return s%4 <= a.most }

func (a *prefixAutomaton) CanMatch(s int) bool { return s%4 <= a.most || a.dfa.CanMatch(s/4) }

func (a *prefixAutomaton) WillAlwaysMatch(s int) bool { return s%4 <= a.most }

func (a *prefixAutomaton) Accept(s int, c byte) int {
	state := s / 4
	if a.dfa.CanMatch(state) {
		state = a.dfa.Accept(state, c)
	}
	return a.pack(state, s%4)
}
