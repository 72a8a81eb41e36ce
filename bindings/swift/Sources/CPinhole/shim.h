/* The header of the installed C library. */
#ifndef CPINHOLE_SHIM_H
#define CPINHOLE_SHIM_H

#include <pinhole.h>

#endif
