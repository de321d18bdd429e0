package payload

import "github.com/miroir-search/miroir/rawjson"

// parser is the one fast pass over JSON and NDJSON: it validates, locates the documents, looks for reserved names and
// notes the ids when it knows or can guess the primary key. It only says yes or no; a no is explained by another pass.
type parser struct {
	b        *Batch
	data     []byte
	pk       string // top-level name to look for while scanning, "" for none
	guess    bool   // the first document may decide pk
	depth    int    // containers that count as open around a member's value
	reserved *ReservedFieldError
}

// expect sets the primary key to look for.
func (p *parser) expect(pk string) {
	p.b.pk = pk
	p.pk = pk
	p.guess = pk == ""
	if !isFlat(pk) {
		p.pk = "" // paths are resolved afterwards
	}
}

// all reads the whole body.
func (p *parser) all() bool {
	if p.b.format == JSON {
		return p.json()
	}
	return p.ndjson()
}

// json reads an array of objects or one object.
func (p *parser) json() bool {
	data := p.data
	i := rawjson.SkipSpace(data, 0)
	if i >= len(data) {
		return false
	}
	if data[i] == '{' {
		p.depth = 1 // a lone object is read as one value, a document of an array member by member
		i, ok := p.document(i)
		return ok && rawjson.SkipSpace(data, i) == len(data)
	}
	if data[i] != '[' {
		return false
	}
	i = rawjson.SkipSpace(data, i+1)
	if i < len(data) && data[i] == ']' {
		return true
	}
	for {
		ok := false
		if i, ok = p.document(i); !ok {
			return false
		}
		i = rawjson.SkipSpace(data, i)
		if i >= len(data) {
			return false
		}
		if data[i] == ']' {
			return true
		}
		if data[i] != ',' {
			return false
		}
		i = rawjson.SkipSpace(data, i+1)
	}
}

// ndjson reads objects until the end.
func (p *parser) ndjson() bool {
	i := rawjson.SkipSpace(p.data, 0)
	for i < len(p.data) {
		ok := false
		if i, ok = p.document(i); !ok {
			return false
		}
		i = rawjson.SkipSpace(p.data, i)
	}
	return true
}

// document reads the object that must start at i, notes it, and returns the index behind it.
func (p *parser) document(i int) (end int, ok bool) {
	var id span
	end, id = p.object(i)
	if end < 0 {
		return 0, false
	}
	b := p.b
	n := len(b.docs)
	if n == cap(b.docs) {
		b.docs = growEntries(b.docs, i, len(p.data))
	}
	b.docs = append(b.docs, entry{start: uint32(i), end: uint32(end)})
	if b.spooled {
		if isEmpty(p.data[i:end]) {
			b.docs[n].flags = docEmpty
		}
		b.progress(i)
	}
	if id.count == 1 && b.idErr == nil && b.noteID(n, id.start, id.end) {
		b.resolved = n + 1
		return end, true
	}
	p.settle(n, i, end)
	return end, true
}

// settle finds the id of document n, which lies at start..end, the careful way, if the primary key is known and all ids
// before it are good.
func (p *parser) settle(n, start, end int) {
	b := p.b
	if p.guess {
		p.guessKey(start, end)
	}
	if p.pk == "" || b.idErr != nil {
		return
	}
	if b.idErr = b.resolve(n, p.pk); b.idErr == nil {
		b.resolved = n + 1
	}
}

// guessKey lets the first document say which primary key to look for in all of them.
func (p *parser) guessKey(start, end int) {
	if pk, err := InferPrimaryKey(p.data[start:end]); err == nil {
		p.expect(pk)
	}
	p.guess = false
}

// growEntries makes room for more documents: doubling at first, then by what the part read so far lets expect.
func growEntries(docs []entry, read, total int) []entry {
	n := len(docs)
	want := 2*n + 16
	if n >= 64 && read > 0 {
		want = max(n+n/8+16, int(float64(n)*float64(total)/float64(read)*1.02)+16)
	}
	grown := make([]entry, n, want)
	copy(grown, docs)
	return grown
}

// span is where the value of the primary key lies, if it was met exactly once.
type span struct {
	start, end, count int
}

// object strictly checks the object that must start at i. It returns the index behind it, -1 if it is not well formed,
// and the place of the expected primary key.
func (p *parser) object(i int) (end int, id span) { //nolint:cyclop // one pass over the members; each branch is short
	data := p.data
	if uint(i) >= uint(len(data)) || data[i] != '{' {
		return -1, id
	}
	i = rawjson.SkipSpace(data, i+1)
	if uint(i) < uint(len(data)) && data[i] == '}' {
		return i + 1, id
	}
	pk := p.pk
	for {
		if uint(i) >= uint(len(data)) || data[i] != '"' {
			return -1, id
		}
		at, escaped := rawjson.ScanString(data, i)
		if at < 0 {
			return -1, id
		}
		key := data[i+1 : at-1]
		if escaped || len(key) > 0 && key[0] == '_' {
			p.checkReserved(key)
		}
		if uint(at) >= uint(len(data)) || data[at] != ':' {
			at = rawjson.SkipSpace(data, at)
			if uint(at) >= uint(len(data)) || data[at] != ':' {
				return -1, id
			}
		}
		i = rawjson.SkipSpace(data, at+1)
		at = rawjson.ScanValue(data, i, p.depth)
		if at < 0 {
			return -1, id
		}
		if pk != "" && (string(key) == pk || escaped && rawjson.KeyEquals(key, pk)) {
			id.start, id.end = i, at
			id.count++
		}
		if uint(at) < uint(len(data)) && data[at] != ',' {
			at = rawjson.SkipSpace(data, at)
		}
		if uint(at) >= uint(len(data)) {
			return -1, id
		}
		if data[at] == '}' {
			return at + 1, id
		}
		if data[at] != ',' {
			return -1, id
		}
		i = rawjson.SkipSpace(data, at+1)
	}
}

// checkReserved notes the first use of a reserved name, and names of special meaning.
func (p *parser) checkReserved(key []byte) {
	if rawjson.KeyEquals(key, "_vectors") || rawjson.KeyEquals(key, "_geo") {
		p.b.special = true
	}
	if p.reserved != nil || !rawjson.KeyHasPrefix(key, ReservedPrefix) {
		return
	}
	name, err := rawjson.Unquote(key)
	if err != nil {
		name = string(key) // cannot be: the key has been validated
	}
	p.reserved = &ReservedFieldError{Field: name, Index: len(p.b.docs)}
}
