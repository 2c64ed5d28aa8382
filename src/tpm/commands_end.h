/* Ends the passes over commands.def. No include guard. */
#undef COMMAND
#undef FIELD
#undef PLUS
#undef SECRET
#undef AUTH
#undef AUTH_PLUS
#undef BARE
#undef BARE_PLUS
#undef HANDLES
#undef NO_HANDLES
#undef IN
#undef NO_IN
#undef OUT
#undef NO_OUT
