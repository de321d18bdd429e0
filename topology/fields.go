package topology

// Names of the members that Miroir adds to every stored document. Whatever
// begins with ReservedPrefix belongs to Miroir and never reaches a client.
const (
	ReservedPrefix = "_miroir_"
	ShardField     = "_miroir_shard"
	SeqField       = "_miroir_seq"
)

// alphabet holds separators of Meilisearch's tokenizer, so that a value made of
// them has no words and no search can match it, while the filter operators
// = and IN compare it exactly. Ascending bytes: encoded values sort as numbers.
// Characters that people turn into words (nonSeparatorTokens: # & @ + - . _ /)
// and those that need escaping in JSON or filters are left out.
const alphabet = "!()*,:;?"

// Widths of encoded values in characters, three bits each.
const (
	ShardWidth = 5  // up to 32,768 shards
	SeqWidth   = 16 // up to 2^48 documents
	MaxShards  = 1 << (3 * ShardWidth)
)

// Alphabet is the set of characters that encoded values are made of.
func Alphabet() string { return alphabet }

// AppendShard appends the stored form of a shard number below MaxShards:
// ShardWidth characters whose byte order is the order of the numbers.
func AppendShard(dst []byte, s Shard) []byte {
	return appendOctal(dst, uint64(s), ShardWidth) //nolint:gosec // shards are not negative
}

// AppendSeq appends the stored form of an insertion number below 2^48: SeqWidth
// characters whose byte order is the order of the numbers.
func AppendSeq(dst []byte, seq uint64) []byte { return appendOctal(dst, seq, SeqWidth) }

// ParseSeq reads what AppendSeq wrote; anything else is refused.
func ParseSeq(b []byte) (uint64, bool) {
	if len(b) != SeqWidth {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		d := digits[c]
		if d < 0 {
			return 0, false
		}
		n = n<<3 | uint64(d)
	}
	return n, true
}

// digits maps a byte to its value, or -1.
var digits = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = int8(i) //nolint:gosec // eight characters
	}
	return t
}()

func appendOctal(dst []byte, n uint64, width int) []byte {
	for i := width - 1; i >= 0; i-- {
		dst = append(dst, alphabet[n>>(3*i)&7])
	}
	return dst
}

// InjectedLen is the number of bytes that AppendInjected adds.
const InjectedLen = len(`"`+ShardField+`":"","`+SeqField+`":""`) + ShardWidth + SeqWidth

// AppendInjected appends the members that every stored document carries, ready
// to be spliced into it: no comma around, no braces.
func AppendInjected(dst []byte, s Shard, seq uint64) []byte {
	dst = append(dst, `"`+ShardField+`":"`...)
	dst = AppendShard(dst, s)
	dst = append(dst, `","`+SeqField+`":"`...)
	dst = AppendSeq(dst, seq)
	return append(dst, '"')
}

// AppendFilter appends the filter expression that keeps the documents of the
// shards in set, in Meilisearch's syntax. For an empty set it keeps none.
func AppendFilter(dst []byte, set ShardSet) []byte {
	dst = append(dst, ShardField+" IN ["...)
	first := true
	for s := range set.All() {
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		dst = append(dst, '"')
		dst = AppendShard(dst, s)
		dst = append(dst, '"')
	}
	return append(dst, ']')
}
