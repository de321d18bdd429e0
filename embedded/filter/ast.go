// Package filter reads Meilisearch filter expressions into a tree. It knows the
// grammar and the error texts of v1.50 and nothing about indexes, so a proxy
// can use it as well as an engine.
package filter

import (
	"encoding/json"
	"strings"
)

// Kind tells what a node of the tree is.
type Kind uint8

// The kinds of nodes.
const (
	And          Kind = iota // all of Kids
	Or                       // any of Kids
	Not                      // not Kids[0]
	Compare                  // Field Op Values
	In                       // Field is one of Values
	GeoRadius                // Values: latitude, longitude, radius, optional resolution
	GeoBox                   // Values: top right lat, lng, bottom left lat, lng
	GeoPolygon               // Values: lat, lng of each point in turn
	VectorExists             // Values: embedder name, if any; Suffix
	Foreign                  // Kids[0] holds for the document Field refers to
)

// Op is the operator of a Compare node.
type Op uint8

// The operators. Between has two values, Null, Empty and Exists none, the
// others one.
const (
	Equal Op = iota
	NotEqual
	Greater
	GreaterOrEqual
	Lower
	LowerOrEqual
	Between
	Null
	Empty
	Exists
	Contains
	StartsWith
)

// String is the operator as Meilisearch names it in its messages.
func (o Op) String() string {
	return [...]string{"=", "!=", ">", ">=", "<", "<=", "TO", "IS NULL", "IS EMPTY", "EXISTS", "CONTAINS", "STARTS WITH"}[o]
}

// Expr is one node of a filter tree. Trees are never changed once parsed.
type Expr struct {
	Kind   Kind
	Kids   []*Expr
	Field  Token
	Op     Op
	Values []Token
	// Suffix is what follows the embedder of a VectorExists node:
	// "userProvided", "documentTemplate", "regenerate", "fragments" (with the
	// fragment's name as second value) or nothing.
	Suffix string
	// Keyword is the CONTAINS or STARTS WITH of a Compare node.
	Keyword Token
}

// Token is a name or value together with its place in the expression it was
// read from.
type Token struct {
	// Value is the text without quotes and escapes.
	Value string
	span  span
}

// span is a part of a source text, in bytes.
type span struct {
	src      string
	from, to int
}

// Fields calls f for every field name of the tree, left to right, until f
// returns false. Geo and vector conditions name no field.
func (e *Expr) Fields(f func(Token) bool) bool {
	switch e.Kind {
	case Compare, In, Foreign:
		return f(e.Field)
	default:
		for _, k := range e.Kids {
			if !k.Fields(f) {
				return false
			}
		}
		return true
	}
}

// Uses reports whether any node of the tree satisfies f.
func (e *Expr) Uses(f func(*Expr) bool) bool {
	if f(e) {
		return true
	}
	for _, k := range e.Kids {
		if k.Uses(f) {
			return true
		}
	}
	return false
}

// UsesContains reports whether the tree has a CONTAINS, which a server only
// accepts when an experimental feature is on.
func (e *Expr) UsesContains() bool {
	return e.Uses(func(n *Expr) bool { return n.Kind == Compare && n.Op == Contains })
}

// UsesVectors reports whether the tree has a _vectors condition.
func (e *Expr) UsesVectors() bool {
	return e.Uses(func(n *Expr) bool { return n.Kind == VectorExists })
}

// UsesForeign reports whether the tree has a _foreign condition.
func (e *Expr) UsesForeign() bool {
	return e.Uses(func(n *Expr) bool { return n.Kind == Foreign })
}

// String writes the tree the way v1.50 writes a filter again before it
// evaluates a search: every name and value quoted, members of AND and OR in
// parentheses. Parsing it gives an equal tree.
func (e *Expr) String() string {
	var b strings.Builder
	e.write(&b)
	return b.String()
}

func (e *Expr) write(b *strings.Builder) {
	switch e.Kind {
	case And, Or:
		word := " AND "
		if e.Kind == Or {
			word = " OR "
		}
		for i, k := range e.Kids {
			if i > 0 {
				b.WriteString(word)
			}
			b.WriteByte('(')
			k.write(b)
			b.WriteByte(')')
		}
	case Not:
		b.WriteString("NOT (")
		e.Kids[0].write(b)
		b.WriteByte(')')
	case Compare:
		e.writeCompare(b)
	case In:
		b.WriteString(quote(e.Field.Value))
		b.WriteString(" IN [")
		for i, v := range e.Values {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quote(v.Value))
		}
		b.WriteByte(']')
	case VectorExists:
		b.WriteString("_vectors")
		if len(e.Values) > 0 {
			b.WriteString("." + quote(e.Values[0].Value))
		}
		if e.Suffix != "" {
			b.WriteString("." + e.Suffix)
		}
		if len(e.Values) > 1 {
			b.WriteString("." + quote(e.Values[1].Value))
		}
		b.WriteString(" EXISTS")
	case Foreign:
		b.WriteString("_foreign(" + quote(e.Field.Value) + ", ")
		e.Kids[0].write(b)
		b.WriteByte(')')
	default:
		e.writeGeo(b)
	}
}

func (e *Expr) writeCompare(b *strings.Builder) {
	b.WriteString(quote(e.Field.Value))
	b.WriteByte(' ')
	switch e.Op {
	case Null, Empty, Exists:
		b.WriteString(e.Op.String())
	case Between:
		b.WriteString(quote(e.Values[0].Value) + " TO " + quote(e.Values[1].Value))
	default:
		b.WriteString(e.Op.String() + " " + quote(e.Values[0].Value))
	}
}

func (e *Expr) writeGeo(b *strings.Builder) {
	v := e.Values
	if e.Kind == GeoRadius {
		b.WriteString("_geoRadius(" + v[0].Value)
		for _, t := range v[1:] {
			b.WriteString(", " + t.Value)
		}
		b.WriteByte(')')
		return
	}
	name := "_geoBoundingBox("
	if e.Kind == GeoPolygon {
		name = "_geoPolygon("
	}
	b.WriteString(name)
	for i := 0; i+1 < len(v); i += 2 {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("[" + v[i].Value + ", " + v[i+1].Value + "]")
	}
	b.WriteByte(')')
}

// quote writes s as a JSON string the way serde does: no HTML escapes.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string always encodes
		return `""`
	}
	out := strings.TrimSuffix(b.String(), "\n")
	out = strings.ReplaceAll(out, `\u2028`, "\u2028")
	return strings.ReplaceAll(out, `\u2029`, "\u2029")
}
