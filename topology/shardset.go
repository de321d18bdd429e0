package topology

import (
	"iter"
	"math/bits"
	"strconv"
)

// ShardSet is a set of shards of one index, a bit each. The zero value is empty
// and has no room; make one with NewShardSet. Methods that change it are for
// its maker only; a published set is never changed.
type ShardSet struct{ words []uint64 }

// NewShardSet is an empty set with room for shards 0 to n-1.
func NewShardSet(n int) ShardSet { return ShardSet{make([]uint64, (n+63)/64)} }

// FullShardSet holds the shards 0 to n-1.
func FullShardSet(n int) ShardSet {
	s := NewShardSet(n)
	for i := range n {
		s.Add(i)
	}
	return s
}

// ShardSetOf holds the given shards of n.
func ShardSetOf(n int, shards ...Shard) ShardSet {
	s := NewShardSet(n)
	for _, x := range shards {
		s.Add(x)
	}
	return s
}

// Add puts x into the set, which must have room for it.
func (s ShardSet) Add(x Shard) { s.words[x>>6] |= 1 << (x & 63) }

// Remove takes x out; it need not be in.
func (s ShardSet) Remove(x Shard) {
	if s.Has(x) {
		s.words[x>>6] &^= 1 << (x & 63)
	}
}

// Has reports whether x is in the set; what it has no room for is not.
func (s ShardSet) Has(x Shard) bool {
	return x >= 0 && x>>6 < len(s.words) && s.words[x>>6]&(1<<(x&63)) != 0
}

// Len is the number of shards in the set.
func (s ShardSet) Len() (n int) {
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// Empty reports whether no shard is in the set.
func (s ShardSet) Empty() bool {
	for _, w := range s.words {
		if w != 0 {
			return false
		}
	}
	return true
}

// Clone is a copy that can be changed.
func (s ShardSet) Clone() ShardSet { return ShardSet{append([]uint64(nil), s.words...)} }

// And is a new set of what both hold.
func (s ShardSet) And(o ShardSet) ShardSet {
	r := s.Clone()
	for i := range r.words {
		r.words[i] &= o.word(i)
	}
	return r
}

// Minus is a new set of what s holds and o does not.
func (s ShardSet) Minus(o ShardSet) ShardSet {
	r := s.Clone()
	for i := range r.words {
		r.words[i] &^= o.word(i)
	}
	return r
}

// AddAll puts all of o into s, which must have room for what o holds.
func (s ShardSet) AddAll(o ShardSet) {
	for i, w := range o.words {
		if w != 0 {
			s.words[i] |= w
		}
	}
}

// Or is a new set of what either holds, with room for both.
func (s ShardSet) Or(o ShardSet) ShardSet {
	if len(s.words) < len(o.words) {
		s, o = o, s
	}
	r := s.Clone()
	r.AddAll(o)
	return r
}

// Equal reports whether both hold the same shards.
func (s ShardSet) Equal(o ShardSet) bool {
	for i := range max(len(s.words), len(o.words)) {
		if s.word(i) != o.word(i) {
			return false
		}
	}
	return true
}

// Covers reports whether s holds all of o.
func (s ShardSet) Covers(o ShardSet) bool {
	for i, w := range o.words {
		if w&^s.word(i) != 0 {
			return false
		}
	}
	return true
}

// All yields the shards in ascending order.
func (s ShardSet) All() iter.Seq[Shard] {
	return func(yield func(Shard) bool) {
		for i, w := range s.words {
			for ; w != 0; w &= w - 1 {
				if !yield(i<<6 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Common yields what both hold in ascending order.
func (s ShardSet) Common(o ShardSet) iter.Seq[Shard] {
	return func(yield func(Shard) bool) {
		for i, w := range s.words {
			for w &= o.word(i); w != 0; w &= w - 1 {
				if !yield(i<<6 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Slice lists the shards in ascending order.
func (s ShardSet) Slice() []Shard {
	out := make([]Shard, 0, s.Len())
	for x := range s.All() {
		out = append(out, x)
	}
	return out
}

// AppendList appends the shards as decimal numbers with commas, at most limit
// of them, then "+n" for the n left out.
func (s ShardSet) AppendList(dst []byte, limit int) []byte {
	n := 0
	for x := range s.All() {
		if n > 0 {
			dst = append(dst, ',')
		}
		if n >= limit {
			return strconv.AppendInt(append(dst, '+'), int64(s.Len()-n), 10)
		}
		dst = strconv.AppendInt(dst, int64(x), 10)
		n++
	}
	return dst
}

// countAnd is the number of shards that both hold.
func (s ShardSet) countAnd(o ShardSet) (n int) {
	for i, w := range s.words {
		n += bits.OnesCount64(w & o.word(i))
	}
	return n
}

func (s ShardSet) word(i int) uint64 {
	if i < len(s.words) {
		return s.words[i]
	}
	return 0
}
