package top

import (
	"image/color"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
)

// style is how a text looks.
type style struct{ open string }

// paint gives a text the style. The text has no escape sequences of its own.
func (s style) paint(text string) string {
	if s.open == "" || text == "" {
		return text
	}
	return s.open + text + ansi.ResetStyle
}

func styleOf(s ansi.Style) style { return style{s.String()} }

// look is the styles of the screen, for a terminal with so many colours and a dark or
// light background.
type look struct {
	profile colorprofile.Profile
	dark    bool

	title, dim, head, chosen, marked  style
	running, good, bad, warning, keys style
	bar, rest, curve                  style
}

// shade is a colour for a dark and for a light background, and the one of the terminal's
// own 16 that stands for it.
type shade struct {
	dark, light uint32
	basic       ansi.BasicColor
}

// The colours of a terminal with more than 16. The others have their own, which a person
// has chosen to be readable.
var (
	blue   = shade{0x7aa2f7, 0x2e5cb8, ansi.Blue}
	cyan   = shade{0x7dcfff, 0x00708f, ansi.Cyan}
	green  = shade{0x9ece6a, 0x3d6b12, ansi.Green}
	red    = shade{0xf7768e, 0xb3163c, ansi.Red}
	yellow = shade{0xe0af68, 0x8a5a00, ansi.Yellow}
	violet = shade{0xbb9af7, 0x6b3fb3, ansi.Magenta}
	grey   = shade{0x7f88a8, 0x6a6f85, ansi.BrightBlack}
	ground = shade{0x2b3050, 0xdfe4f5, ansi.BrightBlack}
)

// newLook makes the styles. With colorprofile.ASCII they have no colours.
func newLook(profile colorprofile.Profile, dark bool) look {
	l := look{profile: profile, dark: dark}
	front := func(s shade) ansi.Style {
		if profile <= colorprofile.ASCII {
			return ansi.Style{}
		}
		return ansi.Style{}.ForegroundColor(l.colour(s))
	}
	l.title, l.head = styleOf(front(blue).Bold()), styleOf(ansi.Style{}.Bold())
	l.running, l.good, l.bad, l.warning = styleOf(front(cyan)), styleOf(front(green)), styleOf(front(red)), styleOf(front(yellow))
	l.keys, l.curve, l.bar = styleOf(front(violet).Bold()), styleOf(front(green)), styleOf(front(cyan))
	l.dim, l.rest = styleOf(front(grey)), styleOf(front(grey))
	l.chosen, l.marked = styleOf(ansi.Style{}.Reverse(true)), styleOf(ansi.Style{}.Bold())
	switch {
	case profile <= colorprofile.ASCII:
		l.running, l.good, l.warning, l.curve, l.bar = style{}, style{}, style{}, style{}, style{}
		l.bad = styleOf(ansi.Style{}.Bold())
		l.dim, l.rest = styleOf(ansi.Style{}.Faint()), styleOf(ansi.Style{}.Faint())
	case profile > colorprofile.ANSI:
		l.chosen = styleOf(ansi.Style{}.Bold().BackgroundColor(l.colour(ground)))
	}
	return l
}

// colour is one that the terminal has, or that it turns into one.
func (l *look) colour(s shade) color.Color {
	switch {
	case l.profile <= colorprofile.ANSI:
		return s.basic
	case l.dark:
		return rgb(s.dark)
	}
	return rgb(s.light)
}

func rgb(n uint32) color.Color {
	return color.RGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 0xff}
}

// on is the same for another background.
func (l look) on(dark bool) look { return newLook(l.profile, dark) }

// with is the same for a terminal with other colours. Where a person wants none, there
// are none.
func (l look) with(profile colorprofile.Profile) look {
	if l.profile <= colorprofile.ASCII {
		return l
	}
	return newLook(profile, l.dark)
}
