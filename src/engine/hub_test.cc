#include "engine/hub.h"

#include <gtest/gtest.h>
