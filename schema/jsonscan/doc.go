// Package jsonscan reads JSON strictly and looks at each byte once: it checks
// the text (RFC 8259 in UTF-8, no duplicate names, a bounded depth) in the same
// pass that finds its members and elements. It allocates nothing for a text
// that is valid, but for objects of many members.
package jsonscan
