package payload

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/miroir-search/miroir/rawjson"
)

type columnType uint8

const (
	stringColumn columnType = iota
	numberColumn
	booleanColumn
)

// column is one member of every document made from CSV.
type column struct {
	intro  []byte // `{"name":` or `,"name":`
	kind   columnType
	source int // index of the cell that gives the value
}

// csvParser turns rows into JSON objects.
type csvParser struct {
	r       *csvReader
	kinds   []columnType // by cell
	columns []column     // by member
	names   []string     // by member
	out     []byte       // what is not in to yet, or all
	to      io.Writer
	base    int // how much was written to to

	keyColumn      int // index of the column that is the primary key, -1 if none or not known
	keyFrom, keyTo int // where its value in the last row lies in out
}

// parseCSV fills the batch from CSV text. Every row becomes an object with every column, in the header's order. The
// objects stay in memory unless there is a place to write them to.
func (b *Batch) parseCSV(o Options, to io.Writer) error {
	source := b.data
	b.data = nil
	p := &csvParser{r: newCSVReader(source, ','), to: to}
	if o.Delimiter != 0 {
		p.r.delim = o.Delimiter
	}
	reserved, err := p.header()
	if err != nil {
		return err
	}
	b.special = p.find("_geo") >= 0 || p.find("_vectors") >= 0
	key := parser{b: b}
	key.expect(o.PrimaryKey)
	p.keyColumn = p.find(key.pk)
	for {
		more, err := p.r.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		start, at := len(p.out), p.r.start
		if err := p.row(); err != nil {
			return err
		}
		if p.base+len(p.out) > maxPayload {
			return payloadTooLarge()
		}
		b.data = p.out
		if len(b.docs) == cap(b.docs) {
			b.docs = growEntries(b.docs, at, len(source))
			p.reserve(len(b.docs), at)
		}
		b.docs = append(b.docs, entry{start: uint32(start), end: uint32(len(p.out))})
		key.data = b.data
		n := len(b.docs) - 1
		if p.keyColumn >= 0 && b.idErr == nil && b.noteID(n, p.keyFrom, p.keyTo) {
			b.resolved = n + 1
		} else {
			key.settle(n, start, len(p.out))
			p.keyColumn = p.find(key.pk)
		}
		if to != nil {
			if err := p.rowDone(&b.docs[n]); err != nil {
				return err
			}
			b.progress(at)
		}
	}
	if reserved != nil {
		return reserved
	}
	return p.flush()
}

// rowDone ends a row that is written elsewhere, and turns its place into that there.
func (p *csvParser) rowDone(e *entry) error {
	if e.flags&docInArena == 0 {
		e.start += uint32(p.base)
		e.end += uint32(p.base)
	}
	p.out = append(p.out, '\n')
	if len(p.out) < writeSize {
		return nil
	}
	return p.flush()
}

func (p *csvParser) flush() error {
	if p.to == nil {
		return nil
	}
	n, err := p.to.Write(p.out)
	p.base, p.out = p.base+n, p.out[:0]
	return err
}

// reserve grows the output to what the rows read so far let expect, so that it is not copied again and again.
func (p *csvParser) reserve(rows, read int) {
	if rows < 64 || read == 0 || p.to != nil {
		return
	}
	want := int(float64(len(p.out))*float64(len(p.r.data))/float64(read)*1.02) + 1024
	if want > cap(p.out) {
		grown := make([]byte, len(p.out), want)
		copy(grown, p.out)
		p.out = grown
	}
}

// header reads the first record and sets up the columns. A name that occurs twice keeps its first place and takes the
// last cell's value.
func (p *csvParser) header() (*ReservedFieldError, error) {
	if _, err := p.r.next(); err != nil {
		return nil, err
	}
	var reserved *ReservedFieldError
	at := map[string]int{}
	for i := range p.r.cells {
		name, kind := parseHeader(string(p.r.field(i)))
		p.kinds = append(p.kinds, kind)
		if strings.HasPrefix(name, ReservedPrefix) && reserved == nil {
			reserved = &ReservedFieldError{Field: name}
		}
		if j, ok := at[name]; ok {
			p.columns[j].source, p.columns[j].kind = i, kind
			continue
		}
		at[name] = len(p.columns)
		p.names = append(p.names, name)
		intro := []byte{','}
		if i == 0 {
			intro[0] = '{'
		}
		p.columns = append(p.columns, column{
			intro: append(rawjson.AppendString(intro, name), ':'), kind: kind, source: i})
	}
	return reserved, nil
}

// find returns the index of the column called name, -1 if there is none.
func (p *csvParser) find(name string) int {
	if name == "" {
		return -1
	}
	return slices.Index(p.names, name)
}

// parseHeader splits name:type at the last colon; an unknown type is part of the name.
func parseHeader(h string) (name string, kind columnType) {
	if i := strings.LastIndexByte(h, ':'); i >= 0 {
		switch h[i+1:] {
		case "string":
			return h[:i], stringColumn
		case "number":
			return h[:i], numberColumn
		case "boolean":
			return h[:i], booleanColumn
		}
	}
	return h, stringColumn
}

// row appends the current record as an object.
func (p *csvParser) row() error {
	if len(p.columns) != len(p.kinds) {
		// Cells that lose to a later column of the same name must be well formed too.
		keep := len(p.out)
		for i, kind := range p.kinds {
			if err := p.value(i, kind); err != nil {
				return err
			}
		}
		p.out = p.out[:keep]
	}
	for i := range p.columns {
		c := &p.columns[i]
		p.out = append(p.out, c.intro...)
		from := len(p.out)
		if err := p.value(c.source, c.kind); err != nil {
			return err
		}
		if i == p.keyColumn {
			p.keyFrom, p.keyTo = from, len(p.out)
		}
	}
	p.out = append(p.out, '}')
	return nil
}

// value appends cell i of the current record as a value of the given kind.
func (p *csvParser) value(i int, kind columnType) error {
	field := p.r.field(i)
	switch {
	case kind == stringColumn && len(field) == 0:
		p.out = append(p.out, "null"...)
	case kind == stringColumn:
		p.out = rawjson.AppendString(p.out, field)
	case kind == numberColumn:
		return p.number(field)
	default:
		return p.boolean(field)
	}
	return nil
}

func (p *csvParser) number(field []byte) error {
	text := bytes.TrimSpace(field)
	if len(text) == 0 {
		p.out = append(p.out, "null"...)
		return nil
	}
	if n, ok := rustInt(text); ok {
		p.out = strconv.AppendInt(p.out, n, 10)
		return nil
	}
	f, ok := rustFloat(text)
	if !ok {
		return malformedCSV(fmt.Sprintf("Error parsing number %s at line %d: invalid float literal",
			rustQuote(string(field)), p.r.record))
	}
	p.out = appendFloat(p.out, f)
	return nil
}

func (p *csvParser) boolean(field []byte) error {
	switch text := bytes.TrimSpace(field); string(text) {
	case "":
		p.out = append(p.out, "null"...)
	case "true", "false":
		p.out = append(p.out, text...)
	default:
		return malformedCSV(fmt.Sprintf("Error parsing boolean %s at line %d: provided string was not `true` or `false`",
			rustQuote(string(field)), p.r.record))
	}
	return nil
}

// rustInt reads what Rust takes as an i64: unlike JSON, a plus sign and leading zeros are fine.
func rustInt(b []byte) (int64, bool) {
	for _, c := range b[1:] {
		if c-'0' > 9 {
			return 0, false
		}
	}
	if c := b[0]; c != '-' && c != '+' && c-'0' > 9 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil
}

// rustFloat reads what Rust takes as an f64: digits with a point anywhere among them, an exponent, infinity, NaN; no
// hexadecimal and no underscores. Too large is infinite, not an error.
func rustFloat(b []byte) (float64, bool) {
	for _, c := range b {
		if c == '_' || c == 'x' || c == 'X' || c == 'p' || c == 'P' || c >= utf8.RuneSelf {
			return 0, false
		}
	}
	if len(b) == 4 && (b[0] == '-' || b[0] == '+') && bytes.EqualFold(b[1:], []byte("nan")) {
		return math.NaN(), true // Go takes NaN without a sign only
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return f, math.IsInf(f, 0)
	}
	return f, true
}
