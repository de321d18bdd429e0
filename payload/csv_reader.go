package payload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"

	"github.com/miroir-search/miroir/rawjson"
)

// csvReader splits CSV text into records, by the rules of the reader a node uses: a field that starts with a quote runs
// to the next single quote (two stand for one), text behind it belongs to the field; quotes elsewhere are plain; CR, LF
// and CRLF all end a record; empty lines are no records; an unclosed quote runs to the end.
type csvReader struct {
	data    []byte
	i       int
	delim   byte
	cells   []cell // the fields of the current record
	scratch []byte // fields of the current record that needed unquoting
	record  int    // number of the current record; the header is 0
	start   int    // where the search for the current record began
	width   int    // fields in the header
	high    bool   // the current record has bytes beyond ASCII
}

// cell is a field: data[from:to], or scratch[from:to].
type cell struct {
	from, to int
	scratch  bool
}

func newCSVReader(data []byte, delim byte) *csvReader {
	r := &csvReader{data: data, delim: delim, record: -1}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		r.i = 3
	}
	return r
}

// field returns the text of cell i of the current record.
func (r *csvReader) field(i int) []byte {
	c := r.cells[i]
	if c.scratch {
		return r.scratch[c.from:c.to]
	}
	return r.data[c.from:c.to]
}

// next reads a record; false at the end. The error is an *Error for a record of the wrong width or broken UTF-8.
func (r *csvReader) next() (bool, error) {
	r.start = r.i
	if r.record < 0 {
		r.start = 0
	}
	r.cells, r.scratch, r.high = r.cells[:0], r.scratch[:0], false
	data, i := r.data, r.i
	for uint(i) < uint(len(data)) && (data[i] == '\n' || data[i] == '\r') {
		i++
	}
	r.i = i
	if i >= len(data) {
		return false, nil
	}
	for more := true; more; {
		if r.i < len(data) && data[r.i] == '"' {
			more = r.quoted()
		} else {
			more = r.plain()
		}
	}
	r.record++
	return true, r.check()
}

// plain reads a field without an opening quote; it reports whether another field follows.
func (r *csvReader) plain() bool {
	end, high := r.scan(r.i)
	r.high = r.high || high
	r.cells = append(r.cells, cell{from: r.i, to: end})
	r.i = end
	return r.endField()
}

// endField takes the byte that ended a field and reports whether another field follows. It leaves the LF of a CRLF to
// the search for the next record, which is where the positions in messages count it.
func (r *csvReader) endField() bool {
	if r.i >= len(r.data) {
		return false
	}
	c := r.data[r.i]
	r.i++
	return c == r.delim
}

const ones = 0x0101010101010101

// scan returns the index of the delimiter or line end that ends an unquoted field, or the end of the text.
func (r *csvReader) scan(i int) (end int, high bool) {
	const tops = ones * 0x80
	data := r.data
	delim := ones * uint64(r.delim)
	var seen uint64
	for len(data)-i >= 8 {
		w := binary.LittleEndian.Uint64(data[i:])
		d := w ^ delim
		n := w ^ ones*'\n'
		c := w ^ ones*'\r'
		m := ((d-ones)&^d | (n-ones)&^n | (c-ones)&^c) & tops
		if m != 0 {
			k := bits.TrailingZeros64(m) &^ 7
			seen |= w & (1<<k - 1)
			return i + k>>3, seen&tops != 0
		}
		seen |= w
		i += 8
	}
	for uint(i) < uint(len(data)) {
		c := data[i]
		if c == r.delim || c == '\n' || c == '\r' {
			break
		}
		seen |= uint64(c)
		i++
	}
	return i, seen&tops != 0
}

// quoted reads a field from its opening quote; it reports whether another field follows.
func (r *csvReader) quoted() bool {
	data := r.data
	from := r.i + 1 // what follows is in data from here, what came before it is in scratch from base
	base := len(r.scratch)
	end := len(data)
	r.i = len(data) // unless the quote is closed
	for i := from; ; {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			break
		}
		i += n + 1
		if i < len(data) && data[i] == '"' {
			r.scratch = append(r.scratch, data[from:i]...) // one of the two quotes
			i++
			from = i
			continue
		}
		end = i - 1
		r.i, _ = r.scan(i)
		if r.i > i { // text behind the closing quote belongs to the field
			r.scratch = append(r.scratch, data[from:end]...)
			from, end = i, r.i
		}
		break
	}
	c := cell{from: from, to: end}
	if len(r.scratch) > base {
		r.scratch = append(r.scratch, data[from:end]...)
		c = cell{from: base, to: len(r.scratch), scratch: true}
	}
	r.high = true // not known, so let check look
	r.cells = append(r.cells, c)
	return r.endField()
}

// check refuses a record whose width differs from the header's or whose fields are not UTF-8.
func (r *csvReader) check() error {
	if r.record == 0 {
		r.width = len(r.cells)
	}
	if len(r.cells) != r.width {
		return malformedCSV(fmt.Sprintf(
			"CSV error: record %d (line: %d, byte: %d): found record with %d fields, but the previous record has %d fields",
			r.record, r.line(), r.start, len(r.cells), r.width))
	}
	if !r.high {
		return nil
	}
	for i := range r.cells {
		if f := r.field(i); !rawjson.ValidUTF8(f) {
			return malformedCSV(fmt.Sprintf(
				"CSV parse error: record %d (line %d, field: %d, byte: %d): "+
					"invalid utf-8: invalid UTF-8 in field %d near byte index %d",
				r.record, r.line(), i, r.start, i, validPrefix(f)))
		}
	}
	return nil
}

// line is the line on which the search for the current record began.
func (r *csvReader) line() int { return 1 + bytes.Count(r.data[:r.start], []byte{'\n'}) }

// validPrefix returns how many bytes of b are well-formed UTF-8.
func validPrefix(b []byte) int {
	for i := 0; i < len(b); {
		c, n := utf8.DecodeRune(b[i:])
		if c == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}
