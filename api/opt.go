package api

import (
	"bytes"
	"encoding/json"
)

type optState uint8

const (
	optAbsent optState = iota
	optNull
	optSet
)

// Opt is a value that may be absent, null or set. Absent ones are left out of JSON by the `omitzero` tag. In settings
// null means reset to the default.
type Opt[T any] struct {
	state optState
	value T
}

// Some is an Opt that is set.
func Some[T any](v T) Opt[T] { return Opt[T]{state: optSet, value: v} }

// NullOpt is an Opt that is null.
func NullOpt[T any]() Opt[T] { return Opt[T]{state: optNull} }

// Get returns the value and whether it is set.
func (o Opt[T]) Get() (T, bool) { return o.value, o.state == optSet }

// Value returns the value, or the type's zero value when absent or null.
func (o Opt[T]) Value() T { return o.value }

// IsZero tells whether it is absent.
func (o Opt[T]) IsZero() bool { return o.state == optAbsent }

// IsNull tells whether it is null.
func (o Opt[T]) IsNull() bool { return o.state == optNull }

// IsSet tells whether it has a value.
func (o Opt[T]) IsSet() bool { return o.state == optSet }

// Or returns o, or other when o is absent.
func (o Opt[T]) Or(other Opt[T]) Opt[T] {
	if o.IsZero() {
		return other
	}
	return o
}

// Apply gives dst the value, or fallback when null; an absent Opt leaves it.
func (o Opt[T]) Apply(dst *T, fallback T) {
	switch o.state {
	case optSet:
		*dst = o.value
	case optNull:
		*dst = fallback
	default:
	}
}

// MarshalJSON prints the value, or null.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if o.state != optSet {
		return []byte("null"), nil
	}
	return Marshal(o.value)
}

// UnmarshalJSON reads null as null and everything else as the value.
func (o *Opt[T]) UnmarshalJSON(data []byte) error {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		*o = NullOpt[T]()
		return nil
	}
	o.state = optSet
	return json.Unmarshal(data, &o.value)
}

// OptOf reads null as null and everything else by read.
func OptOf[T any](code string, dst *Opt[T], read Reader[T]) Into {
	return func(v Value, at At) *Error {
		if v.Kind == Null {
			*dst = NullOpt[T]()
			return nil
		}
		var x T
		if err := read(code, &x)(v, at); err != nil {
			return err
		}
		*dst = Some(x)
		return nil
	}
}
