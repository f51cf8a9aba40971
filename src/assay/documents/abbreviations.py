"""Words that decide whether a full stop ends a sentence, English and German, in lower case without the last stop."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Never the end of a sentence: a name, a number or a word follows.
ALWAYS_INSIDE = _words("""
    mr mrs ms messrs mme mlle dr drs prof rev hon lt sgt capt cmdr maj pres gov sen amb supt e.g i.e cf viz vs
    approx ca resp incl excl esp fig figs eq eqs chap vol vols pp eds nos nr al op loc ibid abb bd hrsg hr fr
    frl dipl ing z.b z.t d.h u.a u.u v.a o.ä o.g s.o s.u i.d.r i.a m.e bzw vgl ggf evtl inkl exkl bspw tel jg
    kap ziff geb gest griech engl dt frz lfd allg insb insbes ehem zzgl dgl mio mrd tsd
""")

# Words of their own, abbreviations before a number.
INSIDE_BEFORE_NUMBER = _words("""
    no art para mind max min ref refs sec ch abs ed det
""")

# The end of a sentence only if the next word looks like the start of one.
SOMETIMES_INSIDE = _words("""
    etc usw inc ltd co corp bros jr sr dept univ ave blvd rd mt ft jan feb mar apr jun jul aug sep sept oct
    nov dec a.m p.m u.s u.k u.n e.u d.c ph.d m.d b.a m.a b.sc m.sc u.s.a n.chr v.chr hrs usf st ste gen col
    sog v c rep est
""")

# Capitalised, these begin a sentence; names seldom start with them.
STARTERS = _words("""
    the a an this that these those it he she we they i you there here in on at by for from with when while
    after before however but and or so if as his her its their our my your what who why how where which some
    many most all both each der die das ein eine es er sie wir ihr dies diese dieser dieses im am beim nach
    vor mit wenn während jedoch aber und oder auch doch dann dort hier was wer wie wo warum sein seine ihre
""")

# German writes ordinals with a stop: am 3. Oktober, das 19. Jahrhundert.
AFTER_ORDINAL = _words("""
    januar jänner februar märz april mai juni juli august september oktober november dezember jan feb mär apr
    jun jul aug sep okt nov dez jahrhundert jahrhunderts jahrhunderte jh jahrtausend jahrtausends auflage
    kapitel klasse platz jahrestag geburtstag lebensjahr weltkrieg weltkriegs etage stock stockwerk bundesliga
    tag woche runde ausgabe band teil grad semester schuljahr bezirk wahlperiode legislaturperiode armee
    division
""")
